import type { AgentNotes } from "../../centre/objects";
import { useWorkspace } from "../context";
import { W } from "../words";

/** Notes of other agents about the call. */
export function NotesBefore({ notes }: { notes: readonly AgentNotes[] | undefined }) {
  const { shell } = useWorkspace();
  const others = (notes ?? []).filter(({ agent }) => agent !== shell.signedIn?.id);
  if (others.length === 0) return null;
  return (
    <dl class="notes-before" aria-label={W.notesBefore}>
      {others.map(({ agent, name, notes: text }) => (
        <div key={agent}>
          <dt>{W.notesBy(name)}</dt>
          <dd>{text}</dd>
        </div>
      ))}
    </dl>
  );
}

/** Result and notes of a call, live or over. `result` is the one that an agent before chose. */
export function Noting({ id, result }: { id: string; result: string | null | undefined }) {
  const { drafts, choices } = useWorkspace();
  const dispositions = choices.dispositions.value;
  const draft = drafts.all.value[id] ?? drafts.of(id);
  return (
    <div class="noting">
      {dispositions.length > 0 && (
        <fieldset class="chips">
          <legend>{W.disposition}</legend>
          {dispositions.map(({ code, label }) => (
            <label key={code} class="pick">
              <input
                type="radio"
                name={`disposition-${id}`}
                value={code}
                checked={(draft.disposition ?? result) === code}
                onChange={() => drafts.edit(id, { disposition: code })}
              />
              <span>{label}</span>
            </label>
          ))}
        </fieldset>
      )}
      <div class="notes-head">
        <label for="notes">{W.notes}</label>
        <span class={`draft ${draft.state}`} role="status" id="draft-state">
          {draft.at > 0 && W.draft[draft.state]}
        </span>
      </div>
      <textarea
        id="notes"
        rows={3}
        maxLength={4000}
        placeholder={W.notesHint}
        value={draft.notes}
        onInput={(event) => drafts.edit(id, { notes: event.currentTarget.value })}
        onBlur={() => void drafts.flush(id)}
      />
    </div>
  );
}
