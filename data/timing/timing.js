window.vizinhoTiming = {
 "donor": {
  "audio_seconds_per_second": 99.22,
  "device_memory_bytes": 25276063744,
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "memory_estimate_bytes": 53126602,
  "peak_memory_bytes": 1986060288,
  "seconds": 140.87,
  "stage": "donor",
  "steps_per_second": 7.588,
  "training_seconds": 131.79,
  "waiting": 0.0002
 },
 "gate": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 201043968,
  "relative_speed": {
   "high": 21.36957869072041,
   "low": 18.33056550662986,
   "value": 19.791828163141776
  },
  "seconds": 4.75,
  "stage": "gate"
 },
 "ingest@speak-es": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 164954112,
  "seconds": 41.44,
  "stage": "ingest@speak-es"
 },
 "ingest@speak-pt": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 166174720,
  "seconds": 41.78,
  "stage": "ingest@speak-pt"
 },
 "language_model@portuguese": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 1148469248,
  "seconds": 17.69,
  "stage": "language_model@portuguese"
 },
 "normalise@speak-es": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 182427648,
  "seconds": 1.43,
  "stage": "normalise@speak-es"
 },
 "normalise@speak-pt": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 173559808,
  "seconds": 0.89,
  "stage": "normalise@speak-pt"
 },
 "rank": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 297656320,
  "seconds": 3.56,
  "stage": "rank"
 },
 "report": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 166019072,
  "seconds": 0.48,
  "stage": "report"
 },
 "score@champion": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 193736704,
  "seconds": 3.03,
  "stage": "score@champion"
 },
 "score@donor": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 188428288,
  "seconds": 1.83,
  "stage": "score@donor"
 },
 "score@scratch": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 188727296,
  "seconds": 1.77,
  "stage": "score@scratch"
 },
 "score@scratch_long": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 185466880,
  "seconds": 1.83,
  "stage": "score@scratch_long"
 },
 "score@transfer": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 187678720,
  "seconds": 2.32,
  "stage": "score@transfer"
 },
 "split@portuguese": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 201490432,
  "seconds": 0.82,
  "stage": "split@portuguese"
 },
 "split@spanish": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 202256384,
  "seconds": 0.76,
  "stage": "split@spanish"
 },
 "tokenise@portuguese": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 149192704,
  "seconds": 0.06,
  "stage": "tokenise@portuguese"
 },
 "tokenise@spanish": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 150368256,
  "seconds": 0.06,
  "stage": "tokenise@spanish"
 },
 "train@scratch": {
  "audio_seconds_per_second": 96.47,
  "device_memory_bytes": 25276063744,
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "memory_estimate_bytes": 53153116,
  "peak_memory_bytes": 1474932736,
  "seconds": 44.87,
  "stage": "train@scratch",
  "steps_per_second": 7.39,
  "training_seconds": 37.89,
  "waiting": 0.0003
 },
 "train@scratch_long": {
  "audio_seconds_per_second": 98.64,
  "device_memory_bytes": 25276063744,
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "memory_estimate_bytes": 53153116,
  "peak_memory_bytes": 1517727744,
  "seconds": 117.6,
  "stage": "train@scratch_long",
  "steps_per_second": 7.567,
  "training_seconds": 111.01,
  "waiting": 0.0002
 },
 "train@transfer": {
  "audio_seconds_per_second": 102.79,
  "device_memory_bytes": 25276063744,
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "memory_estimate_bytes": 53153116,
  "peak_memory_bytes": 1463042048,
  "seconds": 44.53,
  "stage": "train@transfer",
  "steps_per_second": 7.874,
  "training_seconds": 35.56,
  "waiting": 0.0003
 },
 "transcribe@champion": {
  "audio_s": 2159.760375,
  "decoding_seconds": 4.980448860005708,
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 1690927104,
  "relative_speed": {
   "high": 39.69262097316597,
   "level": 0.95,
   "low": 22.955409384804607,
   "reference": "wav2vec2-base shape cut to 2 blocks, random weights, batches of 2 x 1 s, fp32",
   "repeats": 5,
   "value": 30.185432976767228
  },
  "rtfx": 433.64773652098586,
  "seconds": 22.42,
  "stage": "transcribe@champion",
  "weights_hash": "f7ae0475f6cfd032457915c225d6f0fcebdfaae9d9bfcd7f47b83895666d1dcf"
 },
 "transcribe@donor": {
  "audio_s": 2159.760375,
  "decoding_seconds": 5.041665197000839,
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 1486643200,
  "relative_speed": {
   "high": 24.721593694285573,
   "level": 0.95,
   "low": 18.62541590253012,
   "reference": "wav2vec2-base shape cut to 2 blocks, random weights, batches of 2 x 1 s, fp32",
   "repeats": 5,
   "value": 21.458097873050974
  },
  "rtfx": 428.3823480156492,
  "seconds": 14.48,
  "stage": "transcribe@donor",
  "weights_hash": "f7ae0475f6cfd032457915c225d6f0fcebdfaae9d9bfcd7f47b83895666d1dcf"
 },
 "transcribe@scratch": {
  "audio_s": 2159.760375,
  "decoding_seconds": 10.445133181005076,
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 1544167424,
  "relative_speed": {
   "high": 20.173027605445434,
   "level": 0.95,
   "low": 14.868574254959977,
   "reference": "wav2vec2-base shape cut to 2 blocks, random weights, batches of 2 x 1 s, fp32",
   "repeats": 5,
   "value": 17.318896006931933
  },
  "rtfx": 206.77193268608744,
  "seconds": 22.04,
  "stage": "transcribe@scratch",
  "weights_hash": "a70353eb8fdf6210b92d2047f88dc2b2c49204564eb1f01f50b1729911abcaab"
 },
 "transcribe@scratch_long": {
  "audio_s": 2159.760375,
  "decoding_seconds": 5.519106476000161,
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 1490112512,
  "relative_speed": {
   "high": 29.161875527959648,
   "level": 0.95,
   "low": 19.334375565126624,
   "reference": "wav2vec2-base shape cut to 2 blocks, random weights, batches of 2 x 1 s, fp32",
   "repeats": 5,
   "value": 23.745034294375046
  },
  "rtfx": 391.32428127482586,
  "seconds": 15.86,
  "stage": "transcribe@scratch_long",
  "weights_hash": "780a1e59fa43b9350a552ee4899b86481e17ac162239f88609d3d01a45a67589"
 },
 "transcribe@transfer": {
  "audio_s": 2159.760375,
  "decoding_seconds": 5.633658620005008,
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 1549520896,
  "relative_speed": {
   "high": 21.36957869072041,
   "level": 0.95,
   "low": 18.33056550662986,
   "reference": "wav2vec2-base shape cut to 2 blocks, random weights, batches of 2 x 1 s, fp32",
   "repeats": 5,
   "value": 19.791828163141776
  },
  "rtfx": 383.36727882849243,
  "seconds": 25.53,
  "stage": "transcribe@transfer",
  "weights_hash": "5151fdcb3792dd66cdd32d2eec9ad7713c93ecb23c050e60e7a58c3cb7093010"
 }
};
