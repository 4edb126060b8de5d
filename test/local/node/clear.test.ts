import { expect, it } from "vitest";
import { mountsBelow } from "../../../local/node/clear.ts";

const mountinfo = `22 1 254:0 / / rw - ext4 /dev/vda rw
30 22 0:5 / /data/a rw - tmpfs tmpfs rw
31 30 0:6 / /data/a/pods/x\\040y rw - tmpfs tmpfs rw
32 22 0:7 / /data/ab rw - tmpfs tmpfs rw
33 22 0:8 / /run/a/shm rw - tmpfs tmpfs rw
`;

it("finds the mounts at and below the folders, the innermost first", () => {
  expect(mountsBelow(mountinfo, ["/data/a", "/run/a"])).toEqual(["/run/a/shm", "/data/a/pods/x y", "/data/a"]);
});

it("finds nothing where nothing is mounted", () => {
  expect(mountsBelow(mountinfo, ["/data/b"])).toEqual([]);
});
