/** Pins of the MT3620 reference development board, by the names of its hardware definition. */
export const BUTTON_A: i32 = 12;
export const BUTTON_B: i32 = 13;
export const LED_STATUS: i32 = 8;
