window.vizinhoTiming = {
 "donor": {
  "audio_seconds_per_second": 73.4,
  "device_memory_bytes": 25276063744,
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "memory_estimate_bytes": 53126602,
  "peak_memory_bytes": 1932902400,
  "seconds": 190.73,
  "stage": "donor",
  "steps_per_second": 5.613,
  "training_seconds": 178.16,
  "waiting": 0.0002
 },
 "export@transfer": {
  "backends": {
   "onnx": {
    "decoding_seconds": 3.609548808002728,
    "peak_memory_bytes": 263241728,
    "relative_to_torch": 1.4471211874646874,
    "rtfx": 464.9287694544625
   },
   "onnx-int8": {
    "decoding_seconds": 2.944123703011428,
    "peak_memory_bytes": 196132864,
    "relative_to_torch": 2.2672454154896804,
    "rtfx": 728.4169634207715
   },
   "torch": {
    "decoding_seconds": null,
    "peak_memory_bytes": null,
    "relative_to_torch": 1.0,
    "rtfx": 321.27839290985963
   }
  },
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 1367887872,
  "seconds": 22.48,
  "stage": "export@transfer",
  "weights_hash": "aeaf7b751aeb45d8692a1fb76289f9603b5400e9cbdbd842deaeef47f3019221"
 },
 "gate": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 201498624,
  "relative_speed": {
   "high": 22.172272159271607,
   "low": 15.895306195750884,
   "value": 18.773253714450906
  },
  "seconds": 5.97,
  "stage": "gate"
 },
 "ingest@speak-es": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 165752832,
  "seconds": 64.59,
  "stage": "ingest@speak-es"
 },
 "ingest@speak-pt": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 163844096,
  "seconds": 22.03,
  "stage": "ingest@speak-pt"
 },
 "language_model@portuguese": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 1148833792,
  "seconds": 23.92,
  "stage": "language_model@portuguese"
 },
 "normalise@speak-es": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 181735424,
  "seconds": 1.1,
  "stage": "normalise@speak-es"
 },
 "normalise@speak-pt": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 161067008,
  "seconds": 0.45,
  "stage": "normalise@speak-pt"
 },
 "rank": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 1325801472,
  "seconds": 22.99,
  "stage": "rank"
 },
 "report": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 327086080,
  "seconds": 3.23,
  "stage": "report"
 },
 "score@champion": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 188841984,
  "seconds": 1.63,
  "stage": "score@champion"
 },
 "score@donor": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 182996992,
  "seconds": 1.1,
  "stage": "score@donor"
 },
 "score@scratch": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 189075456,
  "seconds": 1.34,
  "stage": "score@scratch"
 },
 "score@scratch_long": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 188555264,
  "seconds": 1.17,
  "stage": "score@scratch_long"
 },
 "score@transfer": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 189939712,
  "seconds": 2.81,
  "stage": "score@transfer"
 },
 "split@portuguese": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 174551040,
  "seconds": 0.57,
  "stage": "split@portuguese"
 },
 "split@spanish": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 206413824,
  "seconds": 0.73,
  "stage": "split@spanish"
 },
 "tokenise@portuguese": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 143818752,
  "seconds": 0.1,
  "stage": "tokenise@portuguese"
 },
 "tokenise@spanish": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 150441984,
  "seconds": 0.09,
  "stage": "tokenise@spanish"
 },
 "train@scratch": {
  "audio_seconds_per_second": 97.09,
  "device_memory_bytes": 25276063744,
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "memory_estimate_bytes": 53153116,
  "peak_memory_bytes": 1450692608,
  "seconds": 46.19,
  "stage": "train@scratch",
  "steps_per_second": 7.437,
  "training_seconds": 37.65,
  "waiting": 0.0003
 },
 "train@scratch_long": {
  "audio_seconds_per_second": 98.53,
  "device_memory_bytes": 25276063744,
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "memory_estimate_bytes": 53153116,
  "peak_memory_bytes": 1446453248,
  "seconds": 119.29,
  "stage": "train@scratch_long",
  "steps_per_second": 7.558,
  "training_seconds": 111.14,
  "waiting": 0.0002
 },
 "train@transfer": {
  "audio_seconds_per_second": 95.91,
  "device_memory_bytes": 25276063744,
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "memory_estimate_bytes": 53153116,
  "peak_memory_bytes": 1509638144,
  "seconds": 47.56,
  "stage": "train@transfer",
  "steps_per_second": 7.347,
  "training_seconds": 38.11,
  "waiting": 0.0003
 },
 "transcribe@champion": {
  "audio_s": 2159.760375,
  "decoding_seconds": 9.634562808001647,
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 1760456704,
  "relative_speed": {
   "high": 39.52837630262161,
   "level": 0.95,
   "low": 35.47411909287484,
   "reference": "wav2vec2-base shape cut to 2 blocks, random weights, batches of 2 x 1 s, fp32",
   "repeats": 5,
   "value": 37.446419435069764
  },
  "rtfx": 224.16796880563038,
  "seconds": 35.52,
  "stage": "transcribe@champion",
  "weights_hash": "f7ae0475f6cfd032457915c225d6f0fcebdfaae9d9bfcd7f47b83895666d1dcf"
 },
 "transcribe@donor": {
  "audio_s": 2159.760375,
  "decoding_seconds": 6.656526880993624,
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 1546878976,
  "relative_speed": {
   "high": 29.746598590879124,
   "level": 0.95,
   "low": 22.22617625884118,
   "reference": "wav2vec2-base shape cut to 2 blocks, random weights, batches of 2 x 1 s, fp32",
   "repeats": 5,
   "value": 25.7128983854772
  },
  "rtfx": 324.45754574608,
  "seconds": 18.61,
  "stage": "transcribe@donor",
  "weights_hash": "f7ae0475f6cfd032457915c225d6f0fcebdfaae9d9bfcd7f47b83895666d1dcf"
 },
 "transcribe@scratch": {
  "audio_s": 2159.760375,
  "decoding_seconds": 16.08044138799596,
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 1418215424,
  "relative_speed": {
   "high": 14.875591368016092,
   "level": 0.95,
   "low": 9.816581198989832,
   "reference": "wav2vec2-base shape cut to 2 blocks, random weights, batches of 2 x 1 s, fp32",
   "repeats": 5,
   "value": 12.08418183192897
  },
  "rtfx": 134.30976942040033,
  "seconds": 29.51,
  "stage": "transcribe@scratch",
  "weights_hash": "a70353eb8fdf6210b92d2047f88dc2b2c49204564eb1f01f50b1729911abcaab"
 },
 "transcribe@scratch_long": {
  "audio_s": 2159.760375,
  "decoding_seconds": 12.33116527999664,
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 1513496576,
  "relative_speed": {
   "high": 35.08631200017353,
   "level": 0.95,
   "low": 28.062786399803027,
   "reference": "wav2vec2-base shape cut to 2 blocks, random weights, batches of 2 x 1 s, fp32",
   "repeats": 5,
   "value": 31.378650054100728
  },
  "rtfx": 175.14649475208302,
  "seconds": 25.66,
  "stage": "transcribe@scratch_long",
  "weights_hash": "780a1e59fa43b9350a552ee4899b86481e17ac162239f88609d3d01a45a67589"
 },
 "transcribe@transfer": {
  "audio_s": 2159.760375,
  "decoding_seconds": 10.801566460999311,
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 1670385664,
  "relative_speed": {
   "high": 22.172272159271607,
   "level": 0.95,
   "low": 15.895306195750884,
   "reference": "wav2vec2-base shape cut to 2 blocks, random weights, batches of 2 x 1 s, fp32",
   "repeats": 5,
   "value": 18.773253714450906
  },
  "rtfx": 199.94881138750952,
  "seconds": 36.26,
  "stage": "transcribe@transfer",
  "weights_hash": "5151fdcb3792dd66cdd32d2eec9ad7713c93ecb23c050e60e7a58c3cb7093010"
 }
};
