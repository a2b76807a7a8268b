use smallvec::SmallVec;

use super::player::Player;
use crate::codec::RATE;
use crate::prompts::Piece;

/// Time that the application takes to fall silent and to come back, samples: 150 ms.
const FADE: usize = RATE as usize * 150 / 1_000;

/// Speech in the place of an application, which pauses meanwhile: it fades out, waits, and fades in where it stopped.
#[derive(Debug)]
pub(crate) struct Announcement {
    pieces: SmallVec<[Piece; 10]>,
    /// Pieces that follow it.
    then: Option<SmallVec<[Piece; 10]>>,
    stage: Stage,
    /// Samples of the stage that are played.
    at: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Out,
    /// This piece.
    Speech(usize),
    In,
    Over,
}

impl Announcement {
    pub(crate) fn new(pieces: SmallVec<[Piece; 10]>) -> Announcement {
        Announcement {
            pieces,
            then: None,
            stage: Stage::Out,
            at: 0,
        }
    }

    /// Sets the phrase to follow this one; the last one set counts.
    pub(crate) fn follow(&mut self, pieces: SmallVec<[Piece; 10]>) {
        self.then = Some(pieces);
    }

    /// Everything is said and the application is back.
    pub(crate) fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    /// Fills `pcm` with what comes next.
    pub(crate) fn fill(&mut self, player: &mut Player, pcm: &mut [i16]) {
        let mut filled = 0;
        while filled < pcm.len() {
            let rest = &mut pcm[filled..];
            let (length, next) = match self.stage {
                Stage::Out => (FADE, self.speech(0)),
                Stage::Speech(piece) => {
                    let length = self
                        .pieces
                        .get(piece)
                        .map_or(0, |(clip, silence)| clip.len() + silence);
                    (length, self.speech(piece + 1))
                }
                Stage::In => (FADE, Stage::Over),
                Stage::Over => {
                    player.fill(rest);
                    return;
                }
            };
            let take = rest.len().min(length.saturating_sub(self.at));
            let rest = &mut rest[..take];
            match self.stage {
                Stage::Speech(piece) => self.speak(piece, rest),
                stage => {
                    player.fill(rest);
                    for (i, sample) in rest.iter_mut().enumerate() {
                        let part = (self.at + i) as f32 / FADE as f32;
                        let gain = if stage == Stage::Out { 1.0 - part } else { part };
                        *sample = (f32::from(*sample) * gain) as i16;
                    }
                }
            }
            filled += take;
            self.at += take;
            if self.at >= length {
                self.stage = next;
                self.at = 0;
                if matches!(next, Stage::In | Stage::Over)
                    && let Some(pieces) = self.then.take()
                {
                    self.pieces = pieces;
                    // The application is silent still, or back already.
                    self.stage = if next == Stage::In {
                        Stage::Speech(0)
                    } else {
                        Stage::Out
                    };
                }
            }
        }
    }

    fn speech(&self, piece: usize) -> Stage {
        if piece < self.pieces.len() {
            Stage::Speech(piece)
        } else {
            Stage::In
        }
    }

    fn speak(&self, piece: usize, pcm: &mut [i16]) {
        let clip = self.pieces.get(piece).map_or(&[][..], |(clip, _)| &clip[..]);
        let said = clip.get(self.at..).unwrap_or(&[]);
        let take = said.len().min(pcm.len());
        pcm[..take].copy_from_slice(&said[..take]);
        pcm[take..].fill(0);
    }
}
