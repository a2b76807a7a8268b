import type { CentreCall } from "../../centre/objects";
import { Since } from "../../centre/ui/ticking";
import { Icon } from "../../ui/icons";
import { useWorkspace } from "../context";
import { W } from "../words";

/** A consultation beside the call, and how it may end. */
export function Consulting({ centre }: { centre: CentreCall }) {
  const { calls, shell } = useWorkspace();
  const busy = shell.notices.busy.value;
  const { consult } = centre;
  if (!consult) return null;
  const text =
    consult.state === "ringing" ? W.askRinging : consult.state === "talking" ? W.askTalking : W.askFailed(consult.code ?? null);
  return (
    <div class={`consult ${consult.state}`} id="consult" role="group" aria-label={W.asking(consult.to)}>
      <p role="status">
        <b>{W.asking(consult.to)}</b> <Since at={centre.since} />
        <br />
        <span class="quiet">{text}</span>
      </p>
      <div class="consult-actions">
        {consult.state === "talking" && (
          <>
            <button
              type="button"
              class="small primary"
              id="complete"
              title={W.completeHint}
              disabled={busy.has("complete")}
              onClick={() => void calls.complete()}
            >
              <Icon name="transfer" size={18} /> {W.complete}
            </button>
            <button type="button" class="small" id="merge" disabled={busy.has("merge")} onClick={() => void calls.merge()}>
              <Icon name="merge" size={18} /> {W.merge}
            </button>
          </>
        )}
        <button type="button" class="small" id="back" disabled={busy.has("back")} onClick={() => void calls.backToCaller()}>
          <Icon name="back" size={18} /> {W.back}
        </button>
      </div>
    </div>
  );
}

/** Participants of the call, where they are more than two. */
export function Parties({ centre }: { centre: CentreCall }) {
  const { calls, shell } = useWorkspace();
  const conference = centre.state === "conference";
  return (
    <div class="consult" id="parties">
      <div>
        <h3>{W.threeWay}</h3>
        <ul class="parties">
          {centre.parties.map(({ kind, name, mode }, n) => (
            <li key={n}>
              <Icon name={kind === "supervisor" ? "listen" : "person"} size={16} />
              {kind === "agent" ? W.isYou : name}
              {kind === "supervisor" && mode !== "party" && (
                <span class="quiet">{mode === "listen" ? "listens" : "whispers"}</span>
              )}
            </li>
          ))}
        </ul>
      </div>
      {conference && (
        <button
          type="button"
          class="small"
          id="leave"
          title={W.leaveHint}
          disabled={shell.notices.busy.value.has("leave")}
          onClick={() => void calls.leave()}
        >
          <Icon name="leave" size={18} /> {W.leave}
        </button>
      )}
    </div>
  );
}
