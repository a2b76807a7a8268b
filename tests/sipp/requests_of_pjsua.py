"""Single requests of pjsua's sendto suite: a description or a whole message, the final code that it wants, and patterns of the answer."""
import json
import re
import secrets
import socket
import time

LIMIT = 8  # seconds until the final response


def read(folder):
    """The requests of a suite by name; none for a suite of scenarios."""
    file = folder / "sendto.json"
    return {case["id"]: case for case in json.loads(file.read_text())} if file.exists() else {}


def play(case, entry, ip, gateway):
    """Sends the request of a case and judges the final response. None, or why it is wrong."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind((ip, 5060))
        peer.settimeout(0.2)
        request = whole(case, ip, gateway) if case["complete_msg"] else invite(case, ip, gateway)
        response = final_response(peer, request, (gateway, 5060))
        if response is None:
            return "no final response"
        if response.startswith("SIP/2.0 2") and request.startswith("INVITE"):
            hang_up(peer, request, response, (gateway, 5060))
    return judge(case, entry, response)


def judge(case, entry, response):
    code, wanted = int(response.split()[1]), entry.get("code", case["expect_code"])
    if code != wanted:
        return f"{wanted} is right, and there came {response.splitlines()[0]}"
    for pattern in case["expect_include"] if code == case["expect_code"] else []:
        if not re.search(pattern, response, re.IGNORECASE | re.DOTALL):
            return f"the response does not match {pattern}: {response}"
    for pattern in case["expect_exclude"]:
        if re.search(pattern, response, re.IGNORECASE | re.DOTALL):
            return f"the response matches {pattern}: {response}"
    return None


def invite(case, ip, gateway):
    """An INVITE with the description or the body of a case."""
    body = crlf((case["sdp"] or case["body"]).lstrip("\n"))
    more = crlf(case["extra_headers"].strip())
    lines = [
        f"INVITE sip:bob@{gateway} SIP/2.0",
        f"Via: SIP/2.0/UDP {ip}:5060;rport;branch=z9hG4bK{secrets.token_hex(8)}",
        f"From: <sip:caller@{ip}>;tag={secrets.token_hex(4)}",
        f"To: <sip:bob@{gateway}>",
        f"Call-ID: {secrets.token_hex(8)}",
        "CSeq: 1 INVITE",
        "Max-Forwards: 70",
        f"Contact: <sip:caller@{ip}:5060>",
        *([more] if more else []),
        *(["Content-Type: application/sdp"] if case["sdp"] else []),
        f"Content-Length: {len(body.encode())}",
    ]
    return "\r\n".join(lines) + "\r\n\r\n" + body


def whole(case, ip, gateway):
    """The message of a case, its variables filled in."""
    text = case["complete_msg"]
    head, separator, body = text.partition("\n\n")
    if re.search(r"^(content-length|l)\s*:\s*0\s*$", head, re.IGNORECASE | re.MULTILINE):
        separator, body = "\n\n", ""
    filled = {"LOCAL_IP": ip, "LOCAL_PORT": "5060", "PORT": "5060", "BRANCH": secrets.token_hex(8), "FROM_TAG": secrets.token_hex(4)}
    filled |= {"CALL_ID": secrets.token_hex(8), "CSEQ": "1", "TARGET": gateway}
    for name, value in filled.items():
        head = head.replace(f"${name}", value)
    return crlf(head.rstrip("\n")) + crlf(separator or "\n\n") + crlf(body)


def crlf(text):
    return re.sub(r"\r?\n", "\r\n", text)


def final_response(peer, request, gateway):
    """Sends a request until there is a response, as over UDP one does."""
    begun, last, heard = time.monotonic(), 0.0, False
    while time.monotonic() - begun < LIMIT:
        if not heard and time.monotonic() - last >= 0.5:
            peer.sendto(request.encode(), gateway)
            last = time.monotonic()
        try:
            said = peer.recvfrom(65536)[0].decode(errors="replace")
        except TimeoutError:
            continue
        if said.startswith("SIP/2.0 "):
            heard = True
            if said.split()[1] >= "200":
                return said
    return None


def hang_up(peer, request, response, gateway):
    """ACK and BYE."""
    header = lambda text, names: re.search(rf"^({names})\s*:[ \t]*((?:.*(?:\r\n[ \t]+)?)*?)\r$", text, re.IGNORECASE | re.MULTILINE).group(2)
    number = int(re.search(r"\d+", header(response, "CSeq")).group())
    ip = peer.getsockname()[0]
    for method, cseq in (("ACK", number), ("BYE", number + 1)):
        lines = [
            f"{method} sip:{gateway[0]} SIP/2.0",
            f"Via: SIP/2.0/UDP {ip}:5060;rport;branch=z9hG4bK{secrets.token_hex(8)}",
            *(f"{name}: {header(response, name)}" for name in ("From", "To", "Call-ID")),
            f"CSeq: {cseq} {method}",
            "Max-Forwards: 70",
            "Content-Length: 0",
        ]
        peer.sendto(("\r\n".join(lines) + "\r\n\r\n").encode(), gateway)
