//! The fuzz targets on stable Rust: their seeds and 10,000 inputs each. See `cordboard_tests::fuzz`.

use cordboard_tests::fuzz;

#[test]
fn browser_leg() {
    fuzz::exercise(&fuzz::browser_leg::TARGET);
}

#[test]
fn framing() {
    fuzz::exercise(&fuzz::framing::TARGET);
}

#[test]
fn message() {
    fuzz::exercise(&fuzz::message::TARGET);
}

#[test]
fn sdp() {
    fuzz::exercise(&fuzz::sdp::TARGET);
}

#[test]
fn rtcp() {
    fuzz::exercise(&fuzz::rtcp::TARGET);
}

#[test]
fn rtp() {
    fuzz::exercise(&fuzz::rtp::TARGET);
}
