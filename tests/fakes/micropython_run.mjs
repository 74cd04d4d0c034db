// Runs a script inside MicroPython (its WebAssembly build): node micropython_run.mjs PACKAGE SCRIPT [FILE...]
// PACKAGE: folder of @micropython/micropython-webassembly-pyscript. The files are put before the script under their
// own names; what the script prints goes to standard output. A script may leave work for later in `go_on`, which is
// called until it sets `is_done`: only between calls does this build of MicroPython collect its garbage.
import { readFileSync } from "node:fs";
import { basename, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, script, ...files] = process.argv.slice(2);
const { loadMicroPython } = await import(pathToFileURL(resolve(folder, "micropython.mjs")).href);
const printed = [];
const python = await loadMicroPython({ heapsize: 4 << 20, stdout: (line) => printed.push(line), linebuffer: true });
for (const file of files) python.FS.writeFile(basename(file), readFileSync(file));
try {
  python.runPython("is_done = True\n" + readFileSync(script, "utf8"));
  while (!python.globals.get("is_done")) python.runPython("go_on()");
} catch (error) {
  console.error(error.message); // the traceback; the error itself would show a megabyte of MicroPython
  process.exitCode = 1;
}
process.stdout.write(printed.join("\n") + "\n");
