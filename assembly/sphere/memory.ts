/** Whether `lowMemoryLimit` of `asconfig.json` leaves less than 32 KiB: then buffers are small. */
export const SMALL_MEMORY: bool = ASC_LOW_MEMORY_LIMIT > 0 && ASC_LOW_MEMORY_LIMIT < 32768;
