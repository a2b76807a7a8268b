//! Status for a caller after a refusal on another leg.
//!
//! A status about the call goes through: busy, declined, not found, incomplete. One about our request, our
//! credentials or our route concerns only us: passed on, it would lack the header that makes sense of it (RFC
//! 3261 tables 2 and 3), and the caller would look for the fault at itself.

use sip_core::message::StatusCode;

/// The status for the caller.
pub(crate) const fn passed_on(code: StatusCode) -> StatusCode {
    match code.get() {
        // The peer does not accept our identity: credentials, account, signature. Asterisk answers the same
        // for 401 and 407.
        401 | 402 | 407 | 428 | 436..=438 => StatusCode::FORBIDDEN,
        // The description in our offer, the one body that we send, does not suit the peer.
        406 | 415 => StatusCode::NOT_ACCEPTABLE_HERE,
        // Extensions, sizes, methods and intervals of our own request (RFC 3261 §21.4, RFC 4028 §6, RFC 3329,
        // RFC 5626).
        400
        | 405
        | 411..=414
        | 416
        | 417
        | 420..=424
        | 429
        | 439
        | 440
        | 469
        | 489
        | 493
        | 494
        | 501
        | 505
        | 513
        | 580 => StatusCode::SERVER_INTERNAL_ERROR,
        // The network behind us loops, or answers something that was not asked.
        481..=483 | 491 => StatusCode::BAD_GATEWAY,
        // The way to the callee is gone (RFC 5626 §11.6, for edge proxies alone), or its consent is missing
        // (RFC 5360).
        430 | 470 => StatusCode::TEMPORARILY_UNAVAILABLE,
        _ => code,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed_on(code: u16) -> u16 {
        let code = StatusCode::try_from(code).expect("a status code");
        super::passed_on(code).get()
    }

    /// Statuses that must not be sent without a header that we do not have.
    const WITH_HEADER: [u16; 11] = [401, 405, 407, 415, 420, 421, 422, 423, 469, 489, 494];

    #[test]
    fn what_a_person_or_the_number_is_to_blame_for_goes_through() {
        for code in [
            403, 404, 408, 410, 433, 480, 484, 485, 486, 487, 488, 500, 502, 503, 504, 600, 603, 604, 606,
            607, 608,
        ] {
            assert_eq!(passed_on(code), code);
        }
    }

    #[test]
    fn what_concerns_our_leg_becomes_a_status_that_needs_no_header() {
        for code in 300..700 {
            let translated = passed_on(code);
            assert!(!WITH_HEADER.contains(&translated), "{code}");
            assert_eq!(passed_on(translated), translated, "{code}");
        }
        let translated: Vec<u16> = WITH_HEADER.map(passed_on).to_vec();
        assert_eq!(
            translated,
            [403, 500, 403, 488, 500, 500, 500, 500, 500, 500, 500]
        );
        assert_eq!([481, 482, 483].map(passed_on), [502; 3]);
    }
}
