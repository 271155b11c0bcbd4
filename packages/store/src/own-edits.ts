import type { OwnEdits } from "@castellan/domain";
import { list, number, object, text } from "./decoding.ts";

/** As JSON; the combined edit of the metadata as a list of key and value, `null` where it removes. */
export function encodeOwnEdits(own: OwnEdits | undefined): string | undefined {
  if (own === undefined) return undefined;
  const { since, endTimeSet, metadata } = own;
  return JSON.stringify({ since, endTimeSet, metadata: [...metadata] });
}

/** @throws `internal` when the text is not one that `encodeOwnEdits` wrote. */
export function decodeOwnEdits(json: string | undefined): OwnEdits | undefined {
  if (json === undefined) return undefined;
  const fields = object(JSON.parse(json));
  const since = object(fields["since"]);
  return {
    since: {
      metadata: number(since["metadata"]),
      endTime: number(since["endTime"]),
      egress: number(since["egress"]),
    },
    endTimeSet: fields["endTimeSet"] === true,
    metadata: new Map(
      list(fields["metadata"]).map((entry) => {
        const [key, value] = list(entry);
        return [text(key), value === null ? null : text(value)];
      }),
    ),
  };
}
