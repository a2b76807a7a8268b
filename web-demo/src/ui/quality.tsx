import type { Call } from "../call";
import type { Quality } from "../quality";

const GRADES: Record<Quality["grade"], [string, number]> = { good: ["Good", 3], fair: ["Fair", 2], poor: ["Poor", 1] };

const MODES: Record<string, string> = {
  relay: "Both sides speak the same codec: the gateway passes it on unchanged.",
  transcode: "The gateway translates between the two codecs.",
  application: "The gateway itself is at the other end.",
};

/** How the call sounds: our leg as this browser measures it, the other one as the gateway does. */
export function QualityView({ call }: { call: Call }) {
  const quality = call.quality.value;
  const far = call.far.value;
  const [word, bars] = quality ? GRADES[quality.grade] : ["Measuring", 0];
  return (
    <details class="quality" open>
      <summary>
        <span class={`bars bars-${bars}`} aria-hidden="true">
          <i />
          <i />
          <i />
        </span>
        <span id="grade">{word} line</span>
        {quality && <span class="mos">MOS {quality.mos.toFixed(1)}</span>}
      </summary>
      <table>
        <thead>
          <tr>
            <td />
            <th scope="col">You</th>
            <th scope="col">They</th>
          </tr>
        </thead>
        <tbody>
          <Row name="Codec" id="codec" near={codecs(quality)} far={far?.codec} />
          <Row name="Lost" id="loss-in" near={percent(quality?.lossIn)} far={percent(far?.lossIn)} />
          <Row name="Lost from you" id="loss-out" near={percent(quality?.lossOut)} far={undefined} />
          <Row name="Jitter" id="jitter" near={milliseconds(quality?.jitterMs)} far={milliseconds(far?.jitterMs)} />
          <Row
            name="Round trip"
            id="round-trip"
            near={milliseconds(quality?.roundTripMs)}
            far={milliseconds(far?.roundTripMs)}
          />
          <Row name="MOS" id="mos" near={quality?.mos.toFixed(1)} far={far?.mos?.toFixed(1)} />
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
  return value === undefined ? undefined : `${value.toFixed(1)} %`;
}

function milliseconds(value: number | undefined): string | undefined {
  if (value === undefined) return undefined;
  return value < 10 ? `${value.toFixed(1)} ms` : `${Math.round(value)} ms`;
}

function codecs(quality: Quality | undefined): string | undefined {
  const { codecIn, codecOut } = quality ?? {};
  return codecIn && codecOut && codecIn !== codecOut ? `${codecIn} in, ${codecOut} out` : codecIn || codecOut;
}
