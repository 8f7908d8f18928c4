window.vizinhoTiming = {
 "reporting.summary": {
  "machine": {
   "cores": 2,
   "processor": "AMD EPYC",
   "python": "3.11.7",
   "system": "Linux x86_64"
  },
  "peak_memory_bytes": 125095936,
  "seconds": 0.02,
  "stage": "reporting.summary"
 }
};
