import { constants, getPriority, setPriority } from "node:os";

// whose seconds are promised has the processors first: this worker's processes have what is left
setPriority(Math.max(getPriority(), constants.priority.PRIORITY_BELOW_NORMAL));
