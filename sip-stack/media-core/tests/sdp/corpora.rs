use std::path::PathBuf;

use media_core::negotiated::Direction;
use media_core::sdp::{Config, Peer, SrtpPolicy, peek};

use super::{audio, browser, lines, phone, rng};

/// Outcome of each description of others, taken as an offer: the answer's sections, or the refusal.
#[test]
fn descriptions_of_others() {
    let Some(root) = std::env::var_os("CORDBOARD_CORPORA").map(PathBuf::from) else {
        eprintln!(
            "LEFT OUT: descriptions of others (CORDBOARD_CORPORA names no folder with sdp-transform, sdp-jsep-rfc9429)"
        );
        return;
    };
    let mut verdicts = String::new();
    for folder in ["sdp-jsep-rfc9429", "sdp-transform"] {
        let mut files: Vec<_> = std::fs::read_dir(root.join(folder))
            .unwrap()
            .map(|file| file.unwrap().path())
            .collect();
        files.retain(|path| path.extension().is_some_and(|extension| extension == "sdp"));
        files.sort();
        for file in files {
            let sdp = std::fs::read(&file).unwrap();
            let name = file.file_stem().unwrap().to_string_lossy().into_owned();
            verdicts.push_str(&format!("{name}: {}\n", verdict(&sdp)));
        }
    }
    insta::assert_snapshot!(verdicts);
}

fn verdict(sdp: &[u8]) -> String {
    let seen = match peek(sdp, &[], SrtpPolicy::Off) {
        Ok(seen) => seen,
        Err(error) => return format!("{} {error}", error.code()),
    };
    let mut ours = match seen.peer {
        Peer::Browser => browser(Config::browser()),
        Peer::Phone => phone(Config::phone()),
    };
    match ours.handle_offer(sdp, Direction::SendRecv, &mut rng()) {
        Ok(answer) => {
            let media = audio(&answer.negotiated);
            format!(
                "{:?} {:?} {:?} | {}",
                seen.peer,
                media.send,
                media.direction,
                lines(&answer.sdp, "m=").join(" | ")
            )
        }
        Err(error) => format!("{} {error} (seen as {:?})", error.code(), seen.peer),
    }
}
