import { useState } from "preact/hooks";
import type { Quality, Verdict } from "../quality";
import { read, write } from "../storage";
import type { Call } from "../voice/call";

const GRADES: Record<Verdict["grade"], [string, number]> = {
  good: ["Good connection", 3],
  fair: ["Fair connection", 2],
  poor: ["Poor connection", 1],
};

const MODES: Record<string, string> = {
  relay: "Both sides use the same codec: the gateway passes the sound on unchanged.",
  transcode: "The gateway converts between the two codecs.",
  application: "The gateway itself is the other end.",
};

/** The verdict in words, and how many bars it has. */
function gradeOf(call: Call, held: boolean): [string, number] {
  if (held || call.held.value || call.farHeld.value) return ["On hold", 0];
  if (call.farAway.value) return ["The other side is disconnected", 0];
  if (call.silent.value) return ["No sound", 0];
  return call.verdict.value ? GRADES[call.verdict.value.grade] : ["Measuring", 0];
}

/**
 * How the call sounds: our leg as this browser measures it, the other one as the gateway does. `held`: it is on hold, and the
 * page knows that otherwise than from this call.
 */
export function QualityView({ call, held = false }: { call: Call; held?: boolean }) {
  const quality = call.quality.value;
  const far = call.far.value;
  const [words, bars] = gradeOf(call, held);
  const [open, setOpen] = useState(() => read<boolean>("statistics") ?? false);
  return (
    <details
      class="quality"
      open={open}
      onToggle={(event) => {
        setOpen(event.currentTarget.open);
        write("statistics", event.currentTarget.open);
      }}
    >
      <summary>
        <span class={`bars bars-${bars}`} aria-hidden="true">
          <i />
          <i />
          <i />
        </span>
        <span id="grade">{words}</span>
        {bars > 0 && call.verdict.value && <span class="mos">MOS {call.verdict.value.mos.toFixed(1)}</span>}
      </summary>
      <table>
        <thead>
          <tr>
            <td />
            <th scope="col">You</th>
            <th scope="col">Them</th>
          </tr>
        </thead>
        <tbody>
          <Row name="Codec" id="codec" near={codecs(quality)} far={far?.codec} />
          <Row name="Loss (incoming)" id="loss-in" near={percent(quality?.lossIn)} far={percent(far?.lossOut)} />
          <Row name="Loss (outgoing)" id="loss-out" near={percent(quality?.lossOut)} far={percent(far?.lossIn)} />
          <Row name="Jitter" id="jitter" near={milliseconds(quality?.jitterMs)} far={milliseconds(far?.jitterMs)} />
          <Row name="Round trip" id="round-trip" near={milliseconds(quality?.roundTripMs)} far={milliseconds(far?.roundTripMs)} />
          <Row name="MOS" id="mos" near={quality?.silent ? undefined : quality?.mos.toFixed(1)} far={far?.mos?.toFixed(1)} />
        </tbody>
      </table>
      {far && MODES[far.mode] && <p class="mode">{MODES[far.mode]}</p>}
    </details>
  );
}

function Row({ name, id, near, far }: { name: string; id: string; near: string | undefined; far: string | undefined }) {
  return (
    <tr>
      <th scope="row">{name}</th>
      <td id={id}>{near || "\u2013"}</td>
      <td id={`far-${id}`}>{far || "\u2013"}</td>
    </tr>
  );
}

function percent(value: number | undefined): string | undefined {
  return value === undefined ? undefined : `${value.toFixed(1)}%`;
}

function milliseconds(value: number | undefined): string | undefined {
  if (value === undefined) return undefined;
  return value < 10 ? `${value.toFixed(1)} ms` : `${Math.round(value)} ms`;
}

function codecs(quality: Quality | undefined): string | undefined {
  const { codecIn, codecOut } = quality ?? {};
  return codecIn && codecOut && codecIn !== codecOut ? `${codecIn} in, ${codecOut} out` : codecIn || codecOut;
}
