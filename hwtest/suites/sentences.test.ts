import { describe, expect, test } from "vitest";
import { faces } from "./sentence-benches.js";
import { stories } from "./sentences.js";

/**
 * One suite of sentences: the same stories, told by FakeReader in no time and by the released image on the virtual board through each of
 * its faces, and compared sentence by sentence. What FakeReader says in a program's tests, the reader says.
 */
describe.each(faces)("$name", (face) => {
  const told = stories.filter(
    ({ title, unplugs, long, pad }) =>
      (face.unplugs || !unplugs) && (face.pad || !pad) && (face.long || !long) && (face.only === undefined || face.only.includes(title)),
  );
  test("is told stories there are", () => {
    expect(told.length).toBeGreaterThan(0);
    for (const title of face.only ?? []) expect(stories.map((story) => story.title)).toContain(title);
  });
  test.each(told)("$title", { timeout: 120_000 }, async (story) => {
    expect(await face.tell(story)).toEqual(story.tells);
  });
});
