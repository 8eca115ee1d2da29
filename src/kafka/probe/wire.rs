//! A cursor for Kafka's wire types in untrusted bytes: every read is checked, every count is bounded.
//!
//! The decoder of the kafka-protocol crate reserves memory for as many elements as a peer announces, which
//! can abort the process. So kaf6 encodes requests with it, and decodes responses here.

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    #[error("the response ends too early")]
    Short,
    #[error("the response has an invalid count: {0}")]
    Count(i64),
    #[error("the response has a number that is too long")]
    Varint,
}

/// A cursor over a response. `flexible`: lengths are variable, and structures end with tagged fields.
pub(super) struct Wire<'a> {
    rest: &'a [u8],
    pub(super) flexible: bool,
}

impl<'a> Wire<'a> {
    pub(super) fn new(bytes: &'a [u8], flexible: bool) -> Self {
        Self { rest: bytes, flexible }
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Malformed::Short)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.take(N)?.try_into().map_err(|_| Malformed::Short)
    }

    pub(super) fn bool(&mut self) -> Result<bool, Malformed> {
        Ok(self.array::<1>()?[0] != 0)
    }

    pub(super) fn i8(&mut self) -> Result<i8, Malformed> {
        self.array().map(i8::from_be_bytes)
    }

    pub(super) fn i16(&mut self) -> Result<i16, Malformed> {
        self.array().map(i16::from_be_bytes)
    }

    pub(super) fn i32(&mut self) -> Result<i32, Malformed> {
        self.array().map(i32::from_be_bytes)
    }

    pub(super) fn i64(&mut self) -> Result<i64, Malformed> {
        self.array().map(i64::from_be_bytes)
    }

    pub(super) fn uuid(&mut self) -> Result<uuid::Uuid, Malformed> {
        self.array().map(uuid::Uuid::from_bytes)
    }

    fn varint(&mut self) -> Result<u32, Malformed> {
        let mut value = 0_u32;
        for shift in (0..35).step_by(7) {
            let [byte] = self.array()?;
            value |= u32::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed::Varint)
    }

    /// A length; `None` for null.
    fn length(&mut self, wide: bool) -> Result<Option<usize>, Malformed> {
        let length = match (self.flexible, wide) {
            (true, _) => i64::from(self.varint()?) - 1,
            (false, true) => i64::from(self.i32()?),
            (false, false) => i64::from(self.i16()?),
        };
        match length {
            -1 => Ok(None),
            length => usize::try_from(length).map(Some).map_err(|_| Malformed::Count(length)),
        }
    }

    /// A string; `None` for null. Invalid UTF-8 is replaced.
    pub(super) fn string(&mut self) -> Result<Option<String>, Malformed> {
        match self.length(false)? {
            None => Ok(None),
            Some(length) => Ok(Some(String::from_utf8_lossy(self.take(length)?).into_owned())),
        }
    }

    /// Bytes; `None` for null.
    pub(super) fn bytes(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        self.length(true)?.map(|length| self.take(length)).transpose()
    }

    /// A list; empty for null. Elements are read one by one, so a wrong count allocates no memory.
    pub(super) fn list<T>(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        let count = self.length(true)?.unwrap_or(0);
        if count > self.rest.len() {
            return Err(Malformed::Count(count.try_into().unwrap_or(i64::MAX)));
        }
        (0..count).map(|_| element(self)).collect()
    }

    /// Skips the tagged fields at the end of a flexible structure.
    pub(super) fn tags(&mut self) -> Result<(), Malformed> {
        if self.flexible {
            for _ in 0..self.varint()? {
                self.varint()?;
                let length = self.varint()? as usize;
                self.take(length)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_and_lists_in_both_forms() {
        let mut old = Wire::new(&[0, 2, b'h', b'i', 255, 255, 0, 0, 0, 2, 0, 1, 0, 2], false);
        assert_eq!(old.string().unwrap().unwrap(), "hi");
        assert_eq!(old.string().unwrap(), None);
        assert_eq!(old.list(Wire::i16).unwrap(), [1, 2]);
        let mut new = Wire::new(&[3, b'h', b'i', 0, 3, 0, 1, 0, 2, 1, 5, 2, 9, 9], true);
        assert_eq!(new.string().unwrap().unwrap(), "hi");
        assert_eq!(new.string().unwrap(), None);
        assert_eq!(new.list(Wire::i16).unwrap(), [1, 2]);
        new.tags().unwrap();
        assert_eq!(new.take(1), Err(Malformed::Short));
    }

    #[test]
    fn lies_about_lengths_are_errors() {
        assert!(Wire::new(&[127, 255, 255, 255], false).list(Wire::i16).is_err());
        assert!(Wire::new(&[255, 255, 255, 255, 15], true).list(Wire::i16).is_err());
        assert!(Wire::new(&[255, 255, 255, 255, 255, 255], true).tags().is_err());
        assert!(Wire::new(&[128, 0], false).string().is_err());
        assert!(Wire::new(&[0, 9, 1], false).string().is_err());
    }
}
