// A reporter of node:test: how many seconds each case took, one a line, with its file, the suites that it is in, and `failed` if it did.
import { relative } from "node:path";

export default async function* times(events) {
  const suites = [];
  for await (const { type, data } of events) {
    if (type === "test:start") {
      suites.length = data.nesting;
      suites.push(data.name);
    }
    if ((type !== "test:pass" && type !== "test:fail") || data.details.type === "suite") continue;
    const seconds = (data.details.duration_ms / 1000).toFixed(1);
    const names = [...suites.slice(0, data.nesting), data.name].join(" > ");
    const failed = type === "test:fail" ? "\tfailed" : "";
    yield `${seconds}\t${relative(process.cwd(), data.file ?? "")}\t${names}${failed}\n`;
  }
}
