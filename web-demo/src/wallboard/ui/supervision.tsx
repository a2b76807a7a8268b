import { Icon } from "../../ui/icons";
import { Meter } from "../../ui/meter";
import { useCentre } from "../../ui/shell/context";
import { useWallboard } from "../context";
import type { Supervising } from "../supervision";
import { W } from "../words";

const MODES: [Supervising, string, string][] = [
  ["listen", W.listen, W.modeListen],
  ["whisper", W.whisper, W.modeWhisper],
  ["barge", W.barge, W.modeBarge],
];

/** The call that the supervisor is in, at the lower edge as long as it lasts. */
export function SupervisionBar() {
  const { supervision } = useWallboard();
  const { calls } = useCentre();
  const now = supervision.watching.value;
  if (!now) return null;
  const talking = now.leg?.state.value === "talking";
  const about = MODES.find(([mode]) => mode === now.mode)?.[2];
  // The caller may have become somebody else by a transfer; the call's own words are newer.
  const live = calls.value.get(now.call);
  const caller = live ? live.from.display || live.from.number || now.caller : now.caller;
  return (
    <section class="watching" id="watching" aria-label={W.watching}>
      <div class="watching-who">
        <b>{W.withCaller(now.agent, caller)}</b>
        <p class="quiet" role="status">
          {talking ? about : W.joining}
        </p>
      </div>
      <fieldset class="chips">
        <legend class="unseen">{W.watching}</legend>
        {MODES.map(([mode, label]) => (
          <label key={mode} class="pick">
            <input
              type="radio"
              name="supervision"
              value={mode}
              checked={now.mode === mode}
              disabled={supervision.changing.value || !talking}
              onChange={() => void supervision.watch({ call: now.call, agent: now.agent, caller: now.caller, mode })}
            />
            <span>{label}</span>
          </label>
        ))}
      </fieldset>
      <div class="watching-levels">
        <Meter stream={now.leg?.remote.value} label={W.theirLevel} />
        {now.mode !== "listen" && <Meter stream={now.leg?.microphone.value} label={W.yourLevel} />}
      </div>
      <button type="button" class="small end" id="stop-watching" onClick={() => void supervision.stop()}>
        <Icon name="stop" size={18} /> {W.stop}
      </button>
    </section>
  );
}
