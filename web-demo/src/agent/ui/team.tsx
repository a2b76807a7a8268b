import { useState } from "preact/hooks";
import { StatusDot } from "../../centre/ui/status";
import { STATUS } from "../../centre/words";
import { Icon } from "../../ui/icons";
import { useCentre } from "../../ui/shell/context";
import { useWorkspace } from "../context";
import { colleagues } from "../directory";
import { W } from "../words";

/** More than that are found by name. */
const SHOWN = 12;

export function Team() {
  const { shell, state, calls } = useWorkspace();
  const { agents } = useCentre();
  const [text, setText] = useState("");
  const all = colleagues(text, agents.value.values(), shell.signedIn?.id);
  const many = agents.value.size > SHOWN;
  const free = !state.inCall.value;
  return (
    <section class="card" aria-labelledby="team-title">
      <h2 id="team-title">{W.team}</h2>
      {many && (
        <div class="find">
          <Icon name="search" size={18} />
          <input
            type="search"
            aria-label={W.teamFind}
            placeholder={W.teamFind}
            autocomplete="off"
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
          />
        </div>
      )}
      <ul class="rows people" id="team">
        {all.slice(0, SHOWN).map(({ id, name, display, status }) => (
          <li key={id}>
            <StatusDot status={status} />
            <span class="row-name">{display}</span>
            <span class="row-note">{STATUS[status]}</span>
            <span class="row-actions">
              <button
                type="button"
                class="plain round"
                aria-label={W.teamCall(display)}
                title={W.teamCall(display)}
                disabled={!free || status === "offline"}
                onClick={() => void calls.dial(name)}
              >
                <Icon name="call" size={18} />
              </button>
            </span>
          </li>
        ))}
      </ul>
      {all.length === 0 && text && <p class="quiet">{W.teamNobody}</p>}
    </section>
  );
}
