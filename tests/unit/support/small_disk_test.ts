import assert from "node:assert/strict";
import { CAN_MOUNT, smallDisk } from "../../support/small_disk.ts";

Deno.test({
  name: `smallDisk() leaves no mount behind, even when a file on it is open${
    CAN_MOUNT ? "" : " (ignored: mounting is not allowed here)"
  }`,
  ignore: !CAN_MOUNT,
  fn() {
    const disk = smallDisk(64);
    using _open = Deno.openSync(`${disk.path}/a`, { write: true, create: true });
    assert.throws(() => disk[Symbol.dispose](), /busy/);
    assert.ok(!Deno.readTextFileSync("/proc/mounts").includes(disk.path));
    assert.throws(() => Deno.statSync(disk.path), Deno.errors.NotFound);
  },
});

Deno.test({
  name: `smallDisk() takes away the mount of a test process that was killed${
    CAN_MOUNT ? "" : " (ignored: mounting is not allowed here)"
  }`,
  ignore: !CAN_MOUNT,
  async fn() {
    const module = new URL("../../support/small_disk.ts", import.meta.url).href;
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: [
        "eval",
        `const { smallDisk } = await import("${module}");
        console.log(smallDisk(64).path);
        Deno.kill(Deno.pid, "SIGKILL");`,
      ],
    }).output();
    const path = new TextDecoder().decode(stdout).trim();
    assert.match(Deno.readTextFileSync("/proc/mounts"), new RegExp(` ${path} `));
    smallDisk(64)[Symbol.dispose]();
    assert.ok(!Deno.readTextFileSync("/proc/mounts").includes(path));
  },
});
