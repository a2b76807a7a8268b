use sans_io::Rng;

/// Makes new inputs out of old ones: the usual blind changes, and some that know lines, numbers and words of the format.
/// The same seed makes the same inputs.
#[derive(Debug)]
pub struct Mutator {
    rng: Rng,
    words: &'static [&'static str],
}

/// Numbers at which arithmetic breaks.
const NUMBERS: &[&str] = &[
    "0",
    "-1",
    "1",
    "255",
    "256",
    "65535",
    "65536",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "18446744073709551616",
    "00000000000000000000000000000001",
    "1e9",
    "+1",
    "",
];

/// Inputs grow no further than this.
const LONGEST: usize = 80_000;

impl Mutator {
    /// With words worth inserting.
    #[must_use]
    pub fn new(rng: Rng, words: &'static [&'static str]) -> Mutator {
        Mutator { rng, words }
    }

    /// One of `seeds`, changed between once and eight times. `seeds` must not be empty.
    pub fn input(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut input = seeds[self.rng.below(seeds.len() as u64) as usize].clone();
        for _ in 0..=self.rng.below(8) {
            let other = self.rng.below(seeds.len() as u64) as usize;
            self.change(&mut input, &seeds[other]);
            input.truncate(LONGEST);
        }
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, other: &[u8]) {
        match self.rng.below(14) {
            0 => {
                let at = self.position(input.len());
                if let Some(octet) = input.get_mut(at) {
                    *octet ^= 1 << self.rng.below(8);
                }
            }
            1 => {
                let at = self.position(input.len());
                let octet = self.rng.u32() as u8;
                if let Some(place) = input.get_mut(at) {
                    *place = octet;
                }
            }
            2 => {
                let at = self.position(input.len());
                let octet = self.separator();
                input.insert(at, octet);
            }
            3 => {
                let (from, to) = self.range(input.len(), 16);
                input.drain(from..to);
            }
            4 => {
                let (from, to) = self.range(input.len(), 256);
                input.drain(from..to);
            }
            5 => {
                let (from, to) = self.range(input.len(), 64);
                let piece = input[from..to].repeat(1 + self.rng.below(4) as usize);
                let at = self.position(input.len());
                input.splice(at..at, piece);
            }
            6 => {
                let (from, to) = self.range(other.len(), 256);
                let at = self.position(input.len());
                input.splice(at..at, other[from..to].iter().copied());
            }
            7 => {
                let at = self.position(input.len());
                input.truncate(at);
            }
            8 | 9 => {
                let word = self.word();
                let (from, to) = self.range(input.len(), 8);
                let to = if self.rng.percent(50) { from } else { to };
                input.splice(from..to, word.bytes());
            }
            10 => self.change_number(input),
            11 | 12 => self.change_lines(input),
            _ => {
                // one long run, where limits are
                let at = self.position(input.len());
                let longest = if self.rng.percent(5) { 70_000 } else { 300 };
                let run = vec![self.separator(); self.rng.below(longest) as usize];
                input.splice(at..at, run);
            }
        }
    }

    fn position(&mut self, len: usize) -> usize {
        self.rng.below(len as u64 + 1) as usize
    }

    fn range(&mut self, len: usize, longest: usize) -> (usize, usize) {
        let from = self.position(len);
        let to = from + self.position((len - from).min(longest));
        (from, to)
    }

    fn separator(&mut self) -> u8 {
        let all = b" \t\r\n:;,=<>\"\\@?&%/[](){}*.-+\0\x7f\x80\xff09azAZ";
        all[self.rng.below(all.len() as u64) as usize]
    }

    fn word(&mut self) -> &'static str {
        if self.words.is_empty() || self.rng.percent(10) {
            return NUMBERS[self.rng.below(NUMBERS.len() as u64) as usize];
        }
        self.words[self.rng.below(self.words.len() as u64) as usize]
    }

    /// Replaces one number, found from a random place on.
    fn change_number(&mut self, input: &mut Vec<u8>) {
        let start = self.position(input.len());
        let Some(from) = input[start..]
            .iter()
            .position(u8::is_ascii_digit)
            .map(|at| start + at)
        else {
            return;
        };
        let to = input[from..]
            .iter()
            .position(|b| !b.is_ascii_digit())
            .map_or(input.len(), |at| from + at);
        let number = NUMBERS[self.rng.below(NUMBERS.len() as u64) as usize];
        input.splice(from..to, number.bytes());
    }

    /// Moves, repeats, drops or folds a line.
    fn change_lines(&mut self, input: &mut Vec<u8>) {
        let mut lines: Vec<Vec<u8>> = input
            .split_inclusive(|b| *b == b'\n')
            .map(<[u8]>::to_vec)
            .collect();
        if lines.is_empty() {
            return;
        }
        let at = self.rng.below(lines.len() as u64) as usize;
        let to = self.rng.below(lines.len() as u64) as usize;
        match self.rng.below(5) {
            0 => lines.swap(at, to),
            1 => {
                let line = lines[at].clone();
                lines.insert(to, line);
            }
            2 => {
                lines.remove(at);
            }
            3 => {
                let line = std::mem::take(&mut lines[at]);
                let text = line.trim_ascii_end();
                lines[at] = [text, b"\n"].concat();
            }
            _ => {
                let line = &mut lines[at];
                if let Some(space) = line.iter().position(|b| matches!(b, b' ' | b';' | b',')) {
                    line.splice(space..space, *b"\r\n ");
                }
            }
        }
        *input = lines.concat();
    }
}
