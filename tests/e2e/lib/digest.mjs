// Digest authentication (RFC 7616) with MD5 and qop=auth, both sides.
import { createHash, randomBytes } from "node:crypto";

const md5 = (text) => createHash("md5").update(text).digest("hex");

function parameters(header) {
  return Object.fromEntries(
    [...header.matchAll(/([\w-]+)=(?:"([^"]*)"|([^\s,]+))/g)].map(([, name, quoted, bare]) => [
      name.toLowerCase(),
      quoted ?? bare,
    ]),
  );
}

const response = ({ username, realm, nonce, uri, nc, cnonce }, method, password) =>
  md5(`${md5(`${username}:${realm}:${password}`)}:${nonce}:${nc}:${cnonce}:auth:${md5(`${method}:${uri}`)}`);

/** The value of an Authorization header is that of this user. */
export function isDigest(header, { method, username, password }) {
  const sent = parameters(header);
  return sent.username === username && sent.response === response(sent, method, password);
}

/** The value of an Authorization header that answers a challenge. */
export function answer(challenge, { method, uri, username, password, nc = 1 }) {
  const { realm, nonce, opaque } = parameters(challenge);
  const fields = { username, realm, nonce, uri, nc: nc.toString(16).padStart(8, "0"), cnonce: randomBytes(8).toString("hex") };
  const more = opaque === undefined ? "" : `, opaque="${opaque}"`;
  return `Digest username="${username}", realm="${realm}", nonce="${nonce}", uri="${uri}", algorithm=MD5, qop=auth, nc=${fields.nc}, cnonce="${fields.cnonce}", response="${response(fields, method, password)}"${more}`;
}
