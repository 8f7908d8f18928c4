window.vizinhoTiming = {
 "donor": {
  "audio_seconds_per_second": 65.48,
  "device_memory_bytes": 25276063744,
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "memory_estimate_bytes": 53117764,
  "peak_memory_bytes": 2047041536,
  "seconds": 260.45,
  "stage": "donor",
  "steps_per_second": 4.998,
  "training_seconds": 250.09,
  "waiting": 0.0002
 },
 "gate": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 188375040,
  "relative_speed": {
   "high": 39.17491274142567,
   "low": 36.15671311222845,
   "value": 37.63556936181929
  },
  "seconds": 1.64,
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
  "seconds": 71.52,
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
 "normalise@speak-es": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 185851904,
  "seconds": 1.26,
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
  "peak_memory_bytes": 186339328,
  "seconds": 1.04,
  "stage": "score@champion"
 },
 "score@donor": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 184303616,
  "seconds": 0.63,
  "stage": "score@donor"
 },
 "score@scratch": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 183750656,
  "seconds": 0.75,
  "stage": "score@scratch"
 },
 "score@scratch_long": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 179544064,
  "seconds": 0.75,
  "stage": "score@scratch_long"
 },
 "score@transfer": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 182718464,
  "seconds": 1.06,
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
  "peak_memory_bytes": 231280640,
  "seconds": 1.11,
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
  "peak_memory_bytes": 151588864,
  "seconds": 0.09,
  "stage": "tokenise@spanish"
 },
 "train@scratch": {
  "audio_seconds_per_second": 96.77,
  "device_memory_bytes": 25276063744,
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "memory_estimate_bytes": 53144278,
  "peak_memory_bytes": 1675481088,
  "seconds": 67.01,
  "stage": "train@scratch",
  "steps_per_second": 7.511,
  "training_seconds": 58.58,
  "waiting": 0.0003
 },
 "train@scratch_long": {
  "audio_seconds_per_second": 96.06,
  "device_memory_bytes": 25276063744,
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "memory_estimate_bytes": 53144278,
  "peak_memory_bytes": 1729146880,
  "seconds": 185.2,
  "stage": "train@scratch_long",
  "steps_per_second": 7.46,
  "training_seconds": 176.94,
  "waiting": 0.0002
 },
 "train@transfer": {
  "audio_seconds_per_second": 93.56,
  "device_memory_bytes": 25276063744,
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "memory_estimate_bytes": 53144278,
  "peak_memory_bytes": 1678360576,
  "seconds": 69.59,
  "stage": "train@transfer",
  "steps_per_second": 7.262,
  "training_seconds": 60.59,
  "waiting": 0.0003
 },
 "transcribe@champion": {
  "audio_s": 1740.0776875000001,
  "decoding_seconds": 4.531636881001759,
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 1749962752,
  "relative_speed": {
   "high": 48.164374286854326,
   "level": 0.95,
   "low": 30.44157689996438,
   "reference": "wav2vec2-base shape cut to 2 blocks, random weights, batches of 2 x 1 s, fp32",
   "repeats": 5,
   "value": 38.290984626827544
  },
  "rtfx": 383.984359999149,
  "seconds": 22.33,
  "stage": "transcribe@champion",
  "weights_hash": "4c6f62805d05a37c21ceeca6ebfee7a3bc76ab34c90699d5198bb036459cd894"
 },
 "transcribe@donor": {
  "audio_s": 1740.0776875000001,
  "decoding_seconds": 4.462881874998857,
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 1604517888,
  "relative_speed": {
   "high": 40.295046431073175,
   "level": 0.95,
   "low": 29.122395746549927,
   "reference": "wav2vec2-base shape cut to 2 blocks, random weights, batches of 2 x 1 s, fp32",
   "repeats": 5,
   "value": 34.25621533081723
  },
  "rtfx": 389.900009957231,
  "seconds": 15.25,
  "stage": "transcribe@donor",
  "weights_hash": "4c6f62805d05a37c21ceeca6ebfee7a3bc76ab34c90699d5198bb036459cd894"
 },
 "transcribe@scratch": {
  "audio_s": 1740.0776875000001,
  "decoding_seconds": 4.538198906000616,
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 1547857920,
  "relative_speed": {
   "high": 40.8623304350238,
   "level": 0.95,
   "low": 34.04993938446243,
   "reference": "wav2vec2-base shape cut to 2 blocks, random weights, batches of 2 x 1 s, fp32",
   "repeats": 5,
   "value": 37.30093664266937
  },
  "rtfx": 383.4291364354235,
  "seconds": 15.33,
  "stage": "transcribe@scratch",
  "weights_hash": "0ad9d5685a587773d351e17d43e373069d3da26c1d8c0c064747083850b053dd"
 },
 "transcribe@scratch_long": {
  "audio_s": 1740.0776875000001,
  "decoding_seconds": 4.5366593660000945,
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 1523781632,
  "relative_speed": {
   "high": 41.5097621155087,
   "level": 0.95,
   "low": 31.0371255400889,
   "reference": "wav2vec2-base shape cut to 2 blocks, random weights, batches of 2 x 1 s, fp32",
   "repeats": 5,
   "value": 35.893504954493785
  },
  "rtfx": 383.5592551957898,
  "seconds": 15.02,
  "stage": "transcribe@scratch_long",
  "weights_hash": "90f9edfdde94031d35c9ec778c721a62cfdeb230651d2df07e15b8106dee23fe"
 },
 "transcribe@transfer": {
  "audio_s": 1740.0776875000001,
  "decoding_seconds": 4.175106116999814,
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 1674534912,
  "relative_speed": {
   "high": 39.17491274142567,
   "level": 0.95,
   "low": 36.15671311222845,
   "reference": "wav2vec2-base shape cut to 2 blocks, random weights, batches of 2 x 1 s, fp32",
   "repeats": 5,
   "value": 37.63556936181929
  },
  "rtfx": 416.77448159099754,
  "seconds": 22.18,
  "stage": "transcribe@transfer",
  "weights_hash": "df1211be52fe30e08cc3934df03d93d085f1f980c2960b3afe60857f218f00b3"
 }
};
