import { WholeFile } from "../../client/agent/files/whole-file.ts";
import { watchedFiles } from "./faulty-files.ts";

// A program: write a file, and be killed before a step, e.g. the second `open`: `open 2`.
const [path = "", content = "", point = ""] = process.argv.slice(2);
const steps: string[] = [];
const files = watchedFiles((step) => {
  steps.push(step);
  const nth = steps.filter((each) => each === step).length;
  if (`${step} ${nth}` === point) process.kill(process.pid, "SIGKILL");
});
const file = new WholeFile({ path, mode: 0o600, owner: undefined, isFollowed: true, files });
await file.removeLeftovers();
await file.write(content);
