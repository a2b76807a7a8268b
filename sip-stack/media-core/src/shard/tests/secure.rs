//! Phones whose SRTP keys are in SDP.

use std::time::Duration;

use super::world::World;
use crate::control::{Application, Command};
use crate::negotiated::{Codec, Direction};
use crate::srtp::Profile;
use crate::tone::measure;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_phone_with_keys_from_sdp_hears_and_is_heard() {
    for (profile, codec) in [
        (Profile::Aes128CmSha1_80, Codec::Pcmu),
        (Profile::Aes128CmSha1_32, Codec::Pcma),
        (Profile::Aes256CmSha1_80, Codec::Opus),
        (Profile::AeadAes128Gcm, Codec::Pcmu),
        (Profile::AeadAes256Gcm, Codec::Opus),
    ] {
        let mut world = World::new(61);
        let (browser, phone) = (world.browser(Codec::Opus), world.secure_phone(codec, profile));
        world.bridge(browser, phone);
        let now = world.now;
        world.peers[browser].speak(now, 440.0, -14.0);
        world.peers[phone].speak(now, 1_004.0, -14.0);
        world.run(3 * SECOND);
        for (peer, hertz) in [(phone, 440.0), (browser, 1_004.0)] {
            let found = measure(&world.peers[peer].sound(now + SECOND), 8_000);
            assert!((found.hertz - hertz).abs() < 1.0, "{profile:?}: {found:?}");
        }
        let report = world.report(phone);
        assert_eq!((report.lost, report.refused), (0, 0), "{profile:?}");
        assert!(
            report.packets_received > 140 && report.packets_sent > 140,
            "{profile:?}: {report:?}"
        );
        // The same agreement again interrupts nothing, and a stranger's plain packet is nobody's.
        world.direct(phone, Direction::SendRecv);
        world.inject(phone, false, "198.51.100.1:9".parse().unwrap(), &[0x80; 172]);
        world.run(SECOND);
        let report = world.report(phone);
        assert_eq!((report.lost, report.refused), (0, 1), "{profile:?}");
        let leg = world.leg(phone);
        world.command(Command::Close { leg });
        assert_eq!(world.released, 1);
    }
}

#[test]
fn a_phone_may_begin_plainly_and_go_over_to_srtp() {
    let mut world = World::new(62);
    let phone = world.phone(Codec::Pcmu);
    let now = world.now;
    world.peers[phone].speak(now, 1_004.0, -14.0);
    world.play(phone, Some(Application::Echo));
    world.run(SECOND);
    world.peers[phone].secure(Profile::Aes128CmSha1_80);
    world.direct(phone, Direction::SendRecv);
    let from = world.now + SECOND;
    world.run(3 * SECOND);
    let found = measure(&world.peers[phone].sound(from), 8_000);
    assert!((found.hertz - 1_004.0).abs() < 1.0, "{found:?}");
}
