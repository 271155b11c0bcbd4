/**
 * The attack list. An entry is data: what is tried inside a sandbox, as whom, and what must be observed. `attacks.test.ts`
 * runs it under the isolation that `CASTELLAN_TEST_ISOLATION` names (default `runc`; `gvisor` for the other):
 *
 *     CASTELLAN_TEST_ISOLATION=gvisor npm test -- test/isolation
 *
 * What differs between isolations is said in the entry; how a stack is started with one, in `subject.ts`.
 */
export interface Attack {
  /** A sentence; `docs/isolation.md` has a row of the same name. */
  readonly name: string;
  /** Python 3, run inside after `prelude.py`: every probe reports under a label whether it was held. */
  readonly tries: string;
  readonly as: readonly ("root" | "user")[];
  /** The labels that must be reported, all of them as held. Others must not appear. */
  readonly holds: readonly string[];
  /** What holds it with runc: the guard and the file it stands in, below `packages/runtime/src` where nothing else is said. */
  readonly guard: string;
  /** Labels that another isolation answers in its own way, and why; they are not asked for there. */
  readonly otherwise?: Readonly<Record<string, { readonly labels: readonly string[]; readonly because: string }>>;
}
