import assert from "node:assert/strict";
import { HpackDecoder, HpackEncoder } from "../../../lib/h2/mod.ts";
import { encodeBlock } from "../../support/hpack.ts";

const FOLDER = new URL("../../../../shared/vectors/hpack/", import.meta.url);

interface Story {
  readonly cases: readonly {
    readonly wire: string;
    readonly header_table_size?: number;
    readonly headers: readonly Record<string, string>[];
  }[];
}

function storyFiles(): URL[] {
  try {
    return [...Deno.readDirSync(FOLDER)].filter((entry) => entry.isDirectory).flatMap((folder) => {
      const url = new URL(`${folder.name}/`, FOLDER);
      return [...Deno.readDirSync(url)].map((file) => new URL(file.name, url));
    });
  } catch {
    return [];
  }
}

const FILES = storyFiles();
const ignore = FILES.length === 0;

function readStory(file: URL): Story {
  return JSON.parse(Deno.readTextFileSync(file));
}

function flat(headers: readonly Record<string, string>[]): string[] {
  return headers.flatMap((header) => Object.entries(header).flat());
}

function decodeBlock(decoder: HpackDecoder, block: Uint8Array): string[] {
  const fields: string[] = [];
  const done = decoder.decode(block, { field: (name, value) => fields.push(name, value) });
  assert(done, decoder.failure);
  return fields;
}

Deno.test({ name: "HpackDecoder decodes every hpack-test-case story", ignore }, () => {
  for (const file of FILES) {
    const decoder = new HpackDecoder();
    for (const { wire, header_table_size: size, headers } of readStory(file).cases) {
      if (size !== undefined) decoder.setTableLimit(size);
      assert.deepEqual(decodeBlock(decoder, Uint8Array.fromHex(wire)), flat(headers), file.href);
    }
  }
});

Deno.test({ name: "HpackEncoder output decodes to the stories' fields", ignore }, () => {
  let plain = 0;
  let encoded = 0;
  for (const file of FILES) {
    const decoder = new HpackDecoder();
    const encoder = new HpackEncoder();
    for (const { header_table_size: size, headers } of readStory(file).cases) {
      if (size !== undefined) {
        decoder.setTableLimit(size);
        encoder.setTableLimit(size);
      }
      const fields = flat(headers);
      const block = encodeBlock(encoder, fields);
      plain += fields.join("").length;
      encoded += block.length;
      assert.deepEqual(decodeBlock(decoder, block), fields, file.href);
      assert.equal(encoder.tableSize, decoder.tableSize, file.href);
    }
  }
  assert(encoded < plain / 2, `${encoded} of ${plain} octets`);
});
