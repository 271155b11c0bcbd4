/**
 * A record (`s:<id>`) is one text: these fields in this order, each on a line of its own; then a line with a tab alone;
 * then the metadata (see metadata-text.ts). A later version appends fields; what this version does not know it carries
 * along, and what an older one did not write has the value given here. The first field is the version, for changes of
 * another kind. Those that an edit of the metadata needs come first, so that it can leave the rest in one piece.
 */
export const recordFields = [
  { name: "v", before: "1" },
  { name: "state", before: "" },
  { name: "started", before: "0" },
  { name: "mrev", before: "0" },
  /** Bytes of the metadata's keys and values, and how many keys; empty for "count them". */
  { name: "mbytes", before: "" },
  { name: "mkeys", before: "" },
  /** In which the record was last verified, with `~` behind it as long as not every node had reported. */
  { name: "epoch", before: "0" },
  /** When the record was made: with the id, it names what never changes about the sandbox. */
  { name: "made", before: "" },
  /** The last span of time in which an operation id was kept. */
  { name: "ospan", before: "" },
  { name: "exec", before: "" },
  { name: "gen", before: "1" },
  { name: "node", before: "" },
  /** When a transitional state is to be settled; empty for none. */
  { name: "deadline", before: "" },
  { name: "end", before: "0" },
  { name: "erev", before: "0" },
  { name: "eapp", before: "0" },
  { name: "mapp", before: "0" },
  /** JSON. */
  { name: "egress", before: '{"allowOut":[],"denyOut":[]}' },
  { name: "grev", before: "0" },
  { name: "gapp", before: "0" },
  /** The boot that last confirmed, and the one before it; empty for none. */
  { name: "boot", before: "" },
  { name: "prev", before: "" },
  /** The template's id and alias as JSON strings, as their labels have them; empty for no alias. */
  { name: "tpl", before: '""' },
  { name: "alias", before: "" },
  /**
   * Empty, or that it was given something before every node had reported: the revisions of metadata, end time and egress
   * before that, and `set` or `extend` for what was done to its end. The edits of the metadata are a hash of their own.
   */
  { name: "own", before: "" },
] as const;

/** How many of them an edit of the metadata reads. */
export const leadingFields = 9;

/** What stands between the fields and the metadata; the metadata begins with its line break. */
export const beforeMetadata = "\n\t";

export type RecordField = (typeof recordFields)[number]["name"];
