/** What a verdict says, and what a verb ends with for it (EN 319 102-1 §5.1.3). */
export const verdictExit = { "TOTAL-PASSED": 0, "TOTAL-FAILED": 5, INDETERMINATE: 9 } as const;
