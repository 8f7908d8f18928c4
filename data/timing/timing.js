window.vizinhoTiming = {
 "donor": {
  "audio_seconds_per_second": 84.91,
  "device_memory_bytes": 25276063744,
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "memory_estimate_bytes": 53126602,
  "peak_memory_bytes": 1958952960,
  "seconds": 168.82,
  "stage": "donor",
  "steps_per_second": 6.493,
  "training_seconds": 154.01,
  "waiting": 0.0002
 },
 "gate": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 204308480,
  "relative_speed": {
   "high": 22.81583786278163,
   "low": 17.5759440167397,
   "value": 20.025231308807893
  },
  "seconds": 5.69,
  "stage": "gate"
 },
 "ingest@speak-es": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 165662720,
  "seconds": 49.15,
  "stage": "ingest@speak-es"
 },
 "ingest@speak-pt": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 163598336,
  "seconds": 21.39,
  "stage": "ingest@speak-pt"
 },
 "language_model@portuguese": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 1166168064,
  "seconds": 20.11,
  "stage": "language_model@portuguese"
 },
 "normalise@speak-es": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 178446336,
  "seconds": 1.27,
  "stage": "normalise@speak-es"
 },
 "normalise@speak-pt": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 161046528,
  "seconds": 0.73,
  "stage": "normalise@speak-pt"
 },
 "rank": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 299143168,
  "seconds": 3.17,
  "stage": "rank"
 },
 "report": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 168517632,
  "seconds": 0.68,
  "stage": "report"
 },
 "score@champion": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 188698624,
  "seconds": 1.83,
  "stage": "score@champion"
 },
 "score@donor": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 185221120,
  "seconds": 1.2,
  "stage": "score@donor"
 },
 "score@scratch": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 190459904,
  "seconds": 1.62,
  "stage": "score@scratch"
 },
 "score@scratch_long": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 187363328,
  "seconds": 1.34,
  "stage": "score@scratch_long"
 },
 "score@transfer": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 189833216,
  "seconds": 2.75,
  "stage": "score@transfer"
 },
 "split@portuguese": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 178683904,
  "seconds": 0.72,
  "stage": "split@portuguese"
 },
 "split@spanish": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 199794688,
  "seconds": 1.0,
  "stage": "split@spanish"
 },
 "tokenise@portuguese": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 146026496,
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
  "peak_memory_bytes": 148738048,
  "seconds": 0.07,
  "stage": "tokenise@spanish"
 },
 "train@scratch": {
  "audio_seconds_per_second": 87.53,
  "device_memory_bytes": 25276063744,
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "memory_estimate_bytes": 53153116,
  "peak_memory_bytes": 1457483776,
  "seconds": 49.9,
  "stage": "train@scratch",
  "steps_per_second": 6.705,
  "training_seconds": 41.76,
  "waiting": 0.0003
 },
 "train@scratch_long": {
  "audio_seconds_per_second": 91.27,
  "device_memory_bytes": 25276063744,
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "memory_estimate_bytes": 53153116,
  "peak_memory_bytes": 1481981952,
  "seconds": 127.92,
  "stage": "train@scratch_long",
  "steps_per_second": 7.001,
  "training_seconds": 119.98,
  "waiting": 0.0002
 },
 "train@transfer": {
  "audio_seconds_per_second": 88.14,
  "device_memory_bytes": 25276063744,
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "memory_estimate_bytes": 53153116,
  "peak_memory_bytes": 1467023360,
  "seconds": 51.73,
  "stage": "train@transfer",
  "steps_per_second": 6.752,
  "training_seconds": 41.47,
  "waiting": 0.0003
 },
 "transcribe@champion": {
  "audio_s": 2159.760375,
  "decoding_seconds": 5.530455896994681,
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 1653972992,
  "relative_speed": {
   "high": 30.475805088220966,
   "level": 0.95,
   "low": 20.248807888564738,
   "reference": "wav2vec2-base shape cut to 2 blocks, random weights, batches of 2 x 1 s, fp32",
   "repeats": 5,
   "value": 24.84147182597541
  },
  "rtfx": 390.5212183635061,
  "seconds": 26.4,
  "stage": "transcribe@champion",
  "weights_hash": "f7ae0475f6cfd032457915c225d6f0fcebdfaae9d9bfcd7f47b83895666d1dcf"
 },
 "transcribe@donor": {
  "audio_s": 2159.760375,
  "decoding_seconds": 5.589769752994471,
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 1497468928,
  "relative_speed": {
   "high": 25.77395889790306,
   "level": 0.95,
   "low": 20.6220513450391,
   "reference": "wav2vec2-base shape cut to 2 blocks, random weights, batches of 2 x 1 s, fp32",
   "repeats": 5,
   "value": 23.05454193336932
  },
  "rtfx": 386.3773411852973,
  "seconds": 17.27,
  "stage": "transcribe@donor",
  "weights_hash": "f7ae0475f6cfd032457915c225d6f0fcebdfaae9d9bfcd7f47b83895666d1dcf"
 },
 "transcribe@scratch": {
  "audio_s": 2159.760375,
  "decoding_seconds": 11.307754642002692,
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 1473265664,
  "relative_speed": {
   "high": 13.91432424644428,
   "level": 0.95,
   "low": 9.666091544416828,
   "reference": "wav2vec2-base shape cut to 2 blocks, random weights, batches of 2 x 1 s, fp32",
   "repeats": 5,
   "value": 11.597289853445464
  },
  "rtfx": 190.99816394826632,
  "seconds": 24.33,
  "stage": "transcribe@scratch",
  "weights_hash": "a70353eb8fdf6210b92d2047f88dc2b2c49204564eb1f01f50b1729911abcaab"
 },
 "transcribe@scratch_long": {
  "audio_s": 2159.760375,
  "decoding_seconds": 7.263991398998769,
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 1472491520,
  "relative_speed": {
   "high": 18.639150794060708,
   "level": 0.95,
   "low": 16.78065556034841,
   "reference": "wav2vec2-base shape cut to 2 blocks, random weights, batches of 2 x 1 s, fp32",
   "repeats": 5,
   "value": 17.685507326976154
  },
  "rtfx": 297.3241922199536,
  "seconds": 19.88,
  "stage": "transcribe@scratch_long",
  "weights_hash": "780a1e59fa43b9350a552ee4899b86481e17ac162239f88609d3d01a45a67589"
 },
 "transcribe@transfer": {
  "audio_s": 2159.760375,
  "decoding_seconds": 6.5965876299960655,
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 1671856128,
  "relative_speed": {
   "high": 22.81583786278163,
   "level": 0.95,
   "low": 17.5759440167397,
   "reference": "wav2vec2-base shape cut to 2 blocks, random weights, batches of 2 x 1 s, fp32",
   "repeats": 5,
   "value": 20.025231308807893
  },
  "rtfx": 327.40569763359423,
  "seconds": 30.16,
  "stage": "transcribe@transfer",
  "weights_hash": "5151fdcb3792dd66cdd32d2eec9ad7713c93ecb23c050e60e7a58c3cb7093010"
 }
};
