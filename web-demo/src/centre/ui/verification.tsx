import { Icon } from "../../ui/icons";
import type { CallerVerification } from "../objects";
import { verificationDetail, verificationLabel } from "../words";

/** What is known of the caller's right to the number: in words, and by a colour and a sign beside them. */
export function Verification({ of }: { of: CallerVerification | null | undefined }) {
  if (!of) return null;
  return (
    <p class="verification" data-verdict={of.verdict} data-attestation={of.attestation ?? ""}>
      <Icon name={of.verdict === "verified" ? "check" : "warning"} size={16} /> <b>{verificationLabel(of)}</b>
      <span class="quiet"> {verificationDetail(of)}</span>
    </p>
  );
}
