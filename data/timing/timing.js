window.vizinhoTiming = {
 "donor": {
  "audio_seconds_per_second": 86.89,
  "device_memory_bytes": 25276063744,
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "memory_estimate_bytes": 53117764,
  "peak_memory_bytes": 2056065024,
  "seconds": 198.06,
  "stage": "donor",
  "steps_per_second": 6.633,
  "training_seconds": 188.46,
  "waiting": 0.0002
 },
 "gate": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 196308992,
  "relative_speed": {
   "high": 41.62988858004663,
   "low": 31.95568019795935,
   "value": 36.473434252077915
  },
  "seconds": 2.19,
  "stage": "gate"
 },
 "ingest@speak-es": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 165896192,
  "seconds": 51.64,
  "stage": "ingest@speak-es"
 },
 "ingest@speak-pt": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 165822464,
  "seconds": 35.12,
  "stage": "ingest@speak-pt"
 },
 "normalise@speak-es": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 186183680,
  "seconds": 1.44,
  "stage": "normalise@speak-es"
 },
 "normalise@speak-pt": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 172888064,
  "seconds": 0.54,
  "stage": "normalise@speak-pt"
 },
 "rank": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 297250816,
  "seconds": 3.52,
  "stage": "rank"
 },
 "report": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 167174144,
  "seconds": 0.69,
  "stage": "report"
 },
 "score@champion": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 186159104,
  "seconds": 1.43,
  "stage": "score@champion"
 },
 "score@donor": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 183951360,
  "seconds": 0.69,
  "stage": "score@donor"
 },
 "score@scratch": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 183271424,
  "seconds": 0.91,
  "stage": "score@scratch"
 },
 "score@scratch_long": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 181399552,
  "seconds": 0.92,
  "stage": "score@scratch_long"
 },
 "score@transfer": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 182267904,
  "seconds": 1.25,
  "stage": "score@transfer"
 },
 "split@portuguese": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 213860352,
  "seconds": 0.63,
  "stage": "split@portuguese"
 },
 "split@spanish": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 220635136,
  "seconds": 0.87,
  "stage": "split@spanish"
 },
 "tokenise@portuguese": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 146980864,
  "seconds": 0.13,
  "stage": "tokenise@portuguese"
 },
 "tokenise@spanish": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 153436160,
  "seconds": 0.07,
  "stage": "tokenise@spanish"
 },
 "train@scratch": {
  "audio_seconds_per_second": 87.51,
  "device_memory_bytes": 25276063744,
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "memory_estimate_bytes": 53144278,
  "peak_memory_bytes": 1668222976,
  "seconds": 73.89,
  "stage": "train@scratch",
  "steps_per_second": 6.792,
  "training_seconds": 64.78,
  "waiting": 0.0002
 },
 "train@scratch_long": {
  "audio_seconds_per_second": 87.99,
  "device_memory_bytes": 25276063744,
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "memory_estimate_bytes": 53144278,
  "peak_memory_bytes": 1741594624,
  "seconds": 202.18,
  "stage": "train@scratch_long",
  "steps_per_second": 6.833,
  "training_seconds": 193.17,
  "waiting": 0.0002
 },
 "train@transfer": {
  "audio_seconds_per_second": 89.27,
  "device_memory_bytes": 25276063744,
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "memory_estimate_bytes": 53144278,
  "peak_memory_bytes": 1727942656,
  "seconds": 73.27,
  "stage": "train@transfer",
  "steps_per_second": 6.929,
  "training_seconds": 63.5,
  "waiting": 0.0002
 },
 "transcribe@champion": {
  "audio_s": 1740.0776875000001,
  "decoding_seconds": 4.671015506999538,
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 1642180608,
  "relative_speed": {
   "high": 51.43167910088141,
   "level": 0.95,
   "low": 32.22185832465003,
   "reference": "wav2vec2-base shape cut to 2 blocks, random weights, batches of 2 x 1 s, fp32",
   "repeats": 5,
   "value": 40.709019607299126
  },
  "rtfx": 372.5266347098368,
  "seconds": 21.43,
  "stage": "transcribe@champion",
  "weights_hash": "4c6f62805d05a37c21ceeca6ebfee7a3bc76ab34c90699d5198bb036459cd894"
 },
 "transcribe@donor": {
  "audio_s": 1740.0776875000001,
  "decoding_seconds": 4.174854725999467,
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 1632919552,
  "relative_speed": {
   "high": 51.93376166796964,
   "level": 0.95,
   "low": 27.352161559062417,
   "reference": "wav2vec2-base shape cut to 2 blocks, random weights, batches of 2 x 1 s, fp32",
   "repeats": 5,
   "value": 37.689529574036186
  },
  "rtfx": 416.7995778783471,
  "seconds": 14.61,
  "stage": "transcribe@donor",
  "weights_hash": "4c6f62805d05a37c21ceeca6ebfee7a3bc76ab34c90699d5198bb036459cd894"
 },
 "transcribe@scratch": {
  "audio_s": 1740.0776875000001,
  "decoding_seconds": 7.614217178997933,
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 1601736704,
  "relative_speed": {
   "high": 49.071571520129105,
   "level": 0.95,
   "low": 32.98255595041245,
   "reference": "wav2vec2-base shape cut to 2 blocks, random weights, batches of 2 x 1 s, fp32",
   "repeats": 5,
   "value": 40.23065812582892
  },
  "rtfx": 228.53008347326949,
  "seconds": 19.5,
  "stage": "transcribe@scratch",
  "weights_hash": "0ad9d5685a587773d351e17d43e373069d3da26c1d8c0c064747083850b053dd"
 },
 "transcribe@scratch_long": {
  "audio_s": 1740.0776875000001,
  "decoding_seconds": 4.644678218999616,
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 1619374080,
  "relative_speed": {
   "high": 50.2709268705009,
   "level": 0.95,
   "low": 31.82853493407913,
   "reference": "wav2vec2-base shape cut to 2 blocks, random weights, batches of 2 x 1 s, fp32",
   "repeats": 5,
   "value": 40.000624395955064
  },
  "rtfx": 374.6390181309015,
  "seconds": 16.89,
  "stage": "transcribe@scratch_long",
  "weights_hash": "90f9edfdde94031d35c9ec778c721a62cfdeb230651d2df07e15b8106dee23fe"
 },
 "transcribe@transfer": {
  "audio_s": 1740.0776875000001,
  "decoding_seconds": 4.45562801199776,
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 1704366080,
  "relative_speed": {
   "high": 41.62988858004663,
   "level": 0.95,
   "low": 31.95568019795935,
   "reference": "wav2vec2-base shape cut to 2 blocks, random weights, batches of 2 x 1 s, fp32",
   "repeats": 5,
   "value": 36.473434252077915
  },
  "rtfx": 390.5347759764634,
  "seconds": 24.6,
  "stage": "transcribe@transfer",
  "weights_hash": "df1211be52fe30e08cc3934df03d93d085f1f980c2960b3afe60857f218f00b3"
 }
};
