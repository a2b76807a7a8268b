// Certificates for gateways under test.
import { execFileSync } from "node:child_process";
import { join } from "node:path";

/** A certificate that signs itself, for 127.0.0.1. */
export function certificate(path) {
  const [cert, key] = [join(path, "cert.pem"), join(path, "key.pem")];
  execFileSync(
    "openssl",
    [
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:prime256v1",
      "-nodes",
      "-days",
      "2",
      "-keyout",
      key,
      "-out",
      cert,
      "-subj",
      "/CN=127.0.0.1",
      "-addext",
      "subjectAltName=IP:127.0.0.1",
      "-addext",
      "basicConstraints=critical,CA:FALSE",
    ],
    { stdio: "pipe" },
  );
  return { cert, key };
}
