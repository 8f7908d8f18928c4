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
  "peak_memory_bytes": 199864320,
  "relative_speed": {
   "high": 46.394671404281006,
   "low": 21.930162067471006,
   "value": 31.897377054594084
  },
  "seconds": 4.84,
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
  "peak_memory_bytes": 1122017280,
  "seconds": 21.97,
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
  "peak_memory_bytes": 166105088,
  "seconds": 0.66,
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
  "peak_memory_bytes": 188448768,
  "seconds": 1.74,
  "stage": "score@scratch"
 },
 "score@scratch_long": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 187285504,
  "seconds": 1.6,
  "stage": "score@scratch_long"
 },
 "score@transfer": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 187826176,
  "seconds": 2.58,
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
  "decoding_seconds": 8.692162003004341,
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 1725304832,
  "relative_speed": {
   "high": 36.99089018224619,
   "level": 0.95,
   "low": 27.502137669689464,
   "reference": "wav2vec2-base shape cut to 2 blocks, random weights, batches of 2 x 1 s, fp32",
   "repeats": 5,
   "value": 31.895588320589088
  },
  "rtfx": 248.4721723149551,
  "seconds": 31.08,
  "stage": "transcribe@champion",
  "weights_hash": "f7ae0475f6cfd032457915c225d6f0fcebdfaae9d9bfcd7f47b83895666d1dcf"
 },
 "transcribe@donor": {
  "audio_s": 2159.760375,
  "decoding_seconds": 10.167225001998304,
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 1499820032,
  "relative_speed": {
   "high": 36.49143907589355,
   "level": 0.95,
   "low": 31.41788856363082,
   "reference": "wav2vec2-base shape cut to 2 blocks, random weights, batches of 2 x 1 s, fp32",
   "repeats": 5,
   "value": 33.859769142936386
  },
  "rtfx": 212.42378078340084,
  "seconds": 29.8,
  "stage": "transcribe@donor",
  "weights_hash": "f7ae0475f6cfd032457915c225d6f0fcebdfaae9d9bfcd7f47b83895666d1dcf"
 },
 "transcribe@scratch": {
  "audio_s": 2159.760375,
  "decoding_seconds": 26.67159037199599,
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 1561829376,
  "relative_speed": {
   "high": 19.417719607196094,
   "level": 0.95,
   "low": 12.756458125716932,
   "reference": "wav2vec2-base shape cut to 2 blocks, random weights, batches of 2 x 1 s, fp32",
   "repeats": 5,
   "value": 15.738530016050088
  },
  "rtfx": 80.97606272731507,
  "seconds": 46.28,
  "stage": "transcribe@scratch",
  "weights_hash": "a70353eb8fdf6210b92d2047f88dc2b2c49204564eb1f01f50b1729911abcaab"
 },
 "transcribe@scratch_long": {
  "audio_s": 2159.760375,
  "decoding_seconds": 16.421717071003513,
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 1507823616,
  "relative_speed": {
   "high": 30.46241534265617,
   "level": 0.95,
   "low": 23.69124628766822,
   "reference": "wav2vec2-base shape cut to 2 blocks, random weights, batches of 2 x 1 s, fp32",
   "repeats": 5,
   "value": 26.86433666406283
  },
  "rtfx": 131.5185474004771,
  "seconds": 36.57,
  "stage": "transcribe@scratch_long",
  "weights_hash": "780a1e59fa43b9350a552ee4899b86481e17ac162239f88609d3d01a45a67589"
 },
 "transcribe@transfer": {
  "audio_s": 2159.760375,
  "decoding_seconds": 11.638727689001826,
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 1686474752,
  "relative_speed": {
   "high": 46.394671404281006,
   "level": 0.95,
   "low": 21.930162067471006,
   "reference": "wav2vec2-base shape cut to 2 blocks, random weights, batches of 2 x 1 s, fp32",
   "repeats": 5,
   "value": 31.897377054594084
  },
  "rtfx": 185.56670735074374,
  "seconds": 46.93,
  "stage": "transcribe@transfer",
  "weights_hash": "5151fdcb3792dd66cdd32d2eec9ad7713c93ecb23c050e60e7a58c3cb7093010"
 }
};
