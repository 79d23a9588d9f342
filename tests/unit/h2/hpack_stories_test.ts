import assert from "node:assert/strict";
import { HpackDecoder, HpackEncoder } from "../../../lib/h2/mod.ts";
import { encodeBlock } from "../../support/hpack.ts";
import { vectorUrls } from "../../support/vectors.ts";

interface Story {
  readonly cases: readonly {
    readonly wire: string;
    readonly header_table_size?: number;
    readonly headers: readonly Record<string, string>[];
  }[];
}

const STORIES = vectorUrls("hpack/").flatMap(({ origin, url }) => {
  const folders = [...Deno.readDirSync(url)].filter((entry) => entry.isDirectory);
  const files = folders.flatMap(({ name }) => {
    const folder = new URL(`${name}/`, url);
    return [...Deno.readDirSync(folder)].map((file) => new URL(file.name, folder));
  });
  return [{ origin, files }];
});

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

for (const { origin, files } of STORIES) {
  Deno.test(`HpackDecoder decodes every story (${origin})`, () => {
    assert(files.length > 0);
    for (const file of files) {
      const decoder = new HpackDecoder();
      for (const { wire, header_table_size: size, headers } of readStory(file).cases) {
        if (size !== undefined) decoder.setTableLimit(size);
        assert.deepEqual(decodeBlock(decoder, Uint8Array.fromHex(wire)), flat(headers), file.href);
      }
    }
  });

  Deno.test(`HpackEncoder output decodes to the fields of the stories (${origin})`, () => {
    let plain = 0;
    let encoded = 0;
    for (const file of files) {
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
}
