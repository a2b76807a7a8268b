use crate::negotiated::Codec;

/// Impairments of a connection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Impairment {
    /// Codec in use.
    pub codec: Codec,
    /// Lost packets of 100.
    pub loss_percent: f32,
    /// Mouth to ear, ms: half the round trip, the packet, the jitter buffer.
    pub delay_ms: f32,
}

/// Mean opinion score, 1.0 to 4.5, by the E-model (ITU-T G.107) with its default parameters:
///
/// `R = 93.2 - Id - Ie,eff`, `Id = 0.024 d + 0.11 (d - 177.3) [d > 177.3]` (the usual approximation of its delay term),
/// `Ie,eff = Ie + (95 - Ie) Ppl / (Ppl + Bpl)` for random loss, and
/// `MOS = 1 + 0.035 R + R (R - 60) (100 - R) 7e-6`.
///
/// G.711: `Ie` 0 and `Bpl` 25.1, as G.113 has it with packet loss concealment. G.113 has no figures for Opus on this scale, which is
/// that of narrowband, nor for G.722; `Ie` 0 and `Bpl` 25.1 as well, since neither sounds worse than G.711 and both are concealed at
/// least as well. Formats that are passed on are rated as G.729A, the most usual of them: `Ie` 11 and `Bpl` 19 (G.113 appendix I).
#[must_use]
pub fn mos(impairment: &Impairment) -> f32 {
    let (ie, bpl) = match impairment.codec {
        Codec::Opus | Codec::G722 | Codec::Pcmu | Codec::Pcma => (0.0, 25.1),
        Codec::Foreign(_) => (11.0, 19.0),
    };
    let loss = impairment.loss_percent.clamp(0.0, 100.0);
    let delay = impairment.delay_ms.max(0.0);
    let id = 0.024 * delay + 0.11 * (delay - 177.3).max(0.0);
    let r = 93.2 - id - (ie + (95.0 - ie) * loss / (loss + bpl));
    if r <= 0.0 {
        return 1.0;
    }
    (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6).clamp(1.0, 4.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(loss_percent: f32, delay_ms: f32) -> f32 {
        mos(&Impairment {
            codec: Codec::Pcmu,
            loss_percent,
            delay_ms,
        })
    }

    #[test]
    fn agrees_with_the_published_points() {
        assert!(
            (at(0.0, 0.0) - 4.41).abs() < 0.01,
            "R = 93.2 is MOS 4.41 (G.107 annex B)"
        );
        // 5% loss: R = 93.2 - 95 * 5 / 30.1 = 77.4, MOS 3.93.
        assert!((at(5.0, 0.0) - 3.93).abs() < 0.02, "{}", at(5.0, 0.0));
        assert!(at(0.0, 150.0) > 4.2 && at(0.0, 400.0) < 3.5);
        assert!(at(100.0, 2_000.0) >= 1.0);
        assert!(at(1.0, 20.0) > at(2.0, 20.0) && at(1.0, 20.0) > at(1.0, 300.0));
    }
}
