//! Writes the values of template functions. Allocates only to grow the buffer.

/// A decimal number with at least `width` digits.
pub(crate) fn push_number(mut number: u64, width: usize, out: &mut Vec<u8>) {
    let mut digits = [b'0'; 20];
    let mut start = digits.len();
    while number > 0 {
        start -= 1;
        let digit = (number % 10) as u8;
        digits[start] = b'0' + digit;
        number /= 10;
    }
    out.extend_from_slice(&digits[start.min(digits.len() - width)..]);
}

/// A time such as `2026-01-16T14:54:02.113Z`.
pub(crate) fn push_time(unix_ms: i64, out: &mut Vec<u8>) {
    // Converts days to a date. Years start in March, so that a leap day is the last day of its year.
    let (days, ms) = (unix_ms.div_euclid(86_400_000), unix_ms.rem_euclid(86_400_000).unsigned_abs());
    let from_march_0000 = days + 719_468;
    let (era, day) =
        (from_march_0000.div_euclid(146_097), from_march_0000.rem_euclid(146_097).unsigned_abs());
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day_of_month = day - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = i64::try_from(year).unwrap_or(0) + era * 400 + carry;
    if year < 0 {
        out.push(b'-');
    }
    push_number(year.unsigned_abs(), 4, out);
    for (mark, number) in [(b'-', month), (b'-', day_of_month), (b'T', ms / 3_600_000)] {
        out.push(mark);
        push_number(number, 2, out);
    }
    for number in [ms / 60_000 % 60, ms / 1_000 % 60] {
        out.push(b':');
        push_number(number, 2, out);
    }
    out.push(b'.');
    push_number(ms % 1_000, 3, out);
    out.push(b'Z');
}

pub(crate) fn push_random(count: u32, random: &mut dyn FnMut() -> u64, out: &mut Vec<u8>) {
    const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    // 36^12 is less than 2^64, so one random number gives twelve characters.
    let mut left = count;
    while left > 0 {
        let mut bits = random();
        for _ in 0..left.min(12) {
            let index = (bits % 36) as usize;
            out.push(ALPHABET[index]);
            bits /= 36;
        }
        left -= left.min(12);
    }
}

pub(crate) fn push_json_escaped(text: &str, out: &mut Vec<u8>) {
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0..0x20 => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
            }
            _ => out.push(byte),
        }
    }
}
