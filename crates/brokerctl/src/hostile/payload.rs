//! Texts that are made to steer a terminal: a fixed sequence of them, so that a finding is there again the next time.

/// What does something to a terminal, or to how a person reads what stands around it; and some plain text between.
const PIECES: [&str; 64] = [
    // Escape sequences (ECMA-48): CSI, OSC with either end, DCS, APC, SOS, a reset, an index, and one that does not end.
    "\u{1b}[2J",
    "\u{1b}[1A\u{1b}[2K",
    "\u{1b}[31m",
    "\u{1b}[8m",
    "\u{1b}[?1049h",
    "\u{1b}[6n",
    "\u{1b}[20t",
    "\u{1b}]0;title\u{7}",
    "\u{1b}]8;;https://evil.test/\u{1b}\\here\u{1b}]8;;\u{1b}\\",
    "\u{1b}]52;c;ZXZpbA==\u{7}",
    "\u{1b}]1337;File=inline=1:AAAA\u{7}",
    "\u{1b}P$q\"p\u{1b}\\",
    "\u{1b}_Ga=T;AAAA\u{1b}\\",
    "\u{1b}Xstring\u{1b}\\",
    "\u{1b}c",
    "\u{1b}D",
    "\u{1b}[",
    "\u{1b}",
    // The same in one character each: C1.
    "\u{9b}2J",
    "\u{9b}31m",
    "\u{9d}0;title\u{9c}",
    "\u{90}q\u{9c}",
    "\u{9e}",
    "\u{9f}",
    "\u{84}",
    "\u{8d}",
    // Lines of their own, and writing over what stands there.
    "\n",
    "\r\n",
    "\r",
    "\r\nbrokerctl: signed in as root (work)\n",
    "\u{b}",
    "\u{c}",
    "\u{85}",
    "\u{2028}",
    "\u{2029}",
    "\u{8}\u{8}\u{8}",
    "\t",
    "\u{7}",
    "\0",
    "\u{e}",
    "\u{7f}",
    "\u{1a}",
    // From right to left: marks, embeddings, overrides, isolates.
    "\u{202e}moc.elpmaxe//:sptth\u{202c}",
    "\u{202a}",
    "\u{202b}",
    "\u{202d}",
    "\u{2066}",
    "\u{2067}",
    "\u{2068}",
    "\u{2069}",
    "\u{200e}\u{200f}\u{61c}",
    // Not seen: zero width, fillers, joiners, tags, variations.
    "al\u{200b}ice",
    "\u{200c}\u{200d}\u{2060}",
    "\u{feff}",
    "\u{ad}",
    "\u{3164}\u{ffa0}\u{115f}",
    "\u{e0001}\u{e0041}\u{e007f}",
    "\u{fe0f}\u{e0100}",
    "\u{fff9}a\u{fffb}",
    // Plain, also wide and combined; what shells, formats and JSON give a meaning to.
    "word ",
    "仕事",
    "e\u{301}",
    "%s%n{}$(reboot)`reboot`\\u001b",
    "\"},{\"",
];

/// A sequence of texts (xorshift64, Marsaglia 2003).
pub(super) struct Payloads(u64);

impl Payloads {
    pub(super) fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `end`.
    fn below(&mut self, end: u64) -> usize {
        usize::try_from(self.next() % end).unwrap()
    }

    /// Pieces in any order.
    fn pieces(&mut self) -> String {
        (0..=self.below(3)).map(|_| PIECES[self.below(64)]).collect()
    }

    /// Bytes as a reader takes them that does not mind.
    fn bytes(&mut self) -> String {
        let bytes: Vec<_> = (0..=self.below(20)).map(|_| self.next().to_le_bytes()[3]).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Characters from all of Unicode, half of them from where most of its controls are.
    fn characters(&mut self) -> String {
        let number = |ends: &mut Self| if ends.below(2) == 0 { ends.next() % 0x3000 } else { ends.next() % 0x11_0000 };
        (0..=self.below(8)).filter_map(|_| char::from_u32(u32::try_from(number(self)).unwrap())).collect()
    }
}

impl Iterator for Payloads {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        Some(match self.below(1000) {
            // Nothing a person has ever read is as long.
            0 => self.pieces().repeat(150),
            1..300 => self.bytes(),
            300..500 => self.characters(),
            _ => self.pieces(),
        })
    }
}
