//! A QR code (ISO/IEC 18004) of the page, for the phone in the user's hand.

use qrcodegen::{QrCode, QrCodeEcc};

use crate::terminal::{Line, Style};

/// White around it, in modules. The standard asks for four; phones need two, and rows are scarce.
const MARGIN: i32 = 2;
/// What is longer makes a picture that no terminal has room for.
const LONGEST: usize = 300;

/// Draws it in half blocks: two modules a character, one above the other.
pub(super) fn draw(text: &str) -> Option<Vec<Line>> {
    if text.len() > LONGEST {
        return None;
    }
    // A screen is not torn or stained: the least correction makes the smallest picture.
    let code = QrCode::encode_text(text, QrCodeEcc::Low).ok()?;
    let side = -MARGIN..code.size() + MARGIN;
    let row = |top: i32| {
        let character = |x: i32| match (code.get_module(x, top), code.get_module(x, top + 1)) {
            (true, true) => '█',
            (true, false) => '▀',
            (false, true) => '▄',
            (false, false) => ' ',
        };
        Line::styled(Style::Picture, &side.clone().map(character).collect::<String>())
    };
    Some(side.clone().step_by(2).map(row).collect())
}
