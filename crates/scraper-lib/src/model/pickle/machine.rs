//! The opcodes of a pickle, with numbers in the place of objects.

use std::{collections::HashMap, rc::Rc};

use super::allowed::is_allowed;

/// Bytes that candle may allocate for the objects.
const MAX_MEMORY: u64 = 128 << 20;
/// Objects within objects; a state dict has 6.
const MAX_DEPTH: u32 = 64;
/// What an object is counted as: candle's `Object`, and the room that vectors hold in reserve.
const OBJECT: u64 = 128;

/// An object as far as it matters.
#[derive(Clone)]
pub(super) enum Object<'a> {
    Mark,
    /// Whether it is an `Int` (32 bits) for candle, else a `Long`.
    Int(i64, bool),
    Text(&'a str),
    Class(&'a str, &'a str),
    Tuple(Rc<Vec<Object<'a>>>),
    Dict(Rc<Vec<(Object<'a>, Object<'a>)>>),
    List,
    Reduce(Rc<(Object<'a>, Object<'a>)>),
    Persistent(Rc<Object<'a>>),
    Other,
}

/// An object on the stack or in the memo; `bytes` is what a copy of it takes.
#[derive(Clone)]
pub(super) struct Item<'a> {
    pub(super) object: Object<'a>,
    bytes: u64,
    depth: u32,
}

/// What candle would build, as far as it costs.
pub(super) struct Machine<'a> {
    input: &'a [u8],
    at: usize,
    stack: Vec<Item<'a>>,
    memo: HashMap<u32, Item<'a>>,
    /// Bytes that candle has allocated in all.
    spent: u64,
}

impl<'a> Machine<'a> {
    pub(super) fn new(input: &'a [u8]) -> Self {
        Machine { input, at: 0, stack: Vec::new(), memo: HashMap::new(), spent: 0 }
    }

    /// Which byte comes next.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// What is on top of the stack.
    pub(super) fn result(&mut self) -> Option<Item<'a>> {
        self.stack.pop()
    }

    /// One opcode; whether it was the last.
    pub(super) fn step(&mut self) -> Result<bool, String> {
        let [opcode] = self.take::<1>()?;
        match opcode {
            0x80 => self.take::<1>().map(drop)?, // PROTO
            b'(' => self.leaf(Object::Mark, 0)?,
            b'N' | 0x88 | 0x89 => self.leaf(Object::Other, 0)?, // None, True, False
            b']' => self.leaf(Object::List, 0)?,
            b'}' => self.leaf(Object::Dict(Rc::default()), 0)?,
            b')' => self.leaf(Object::Tuple(Rc::default()), 0)?,
            b'K' => {
                let [n] = self.take()?;
                self.leaf(Object::Int(n.into(), true), 0)?;
            }
            b'M' => {
                let n = u16::from_le_bytes(self.take()?);
                self.leaf(Object::Int(n.into(), true), 0)?;
            }
            b'J' => {
                let n = i32::from_le_bytes(self.take()?);
                self.leaf(Object::Int(n.into(), true), 0)?;
            }
            b'G' => {
                self.take::<8>()?;
                self.leaf(Object::Other, 0)?;
            }
            0x8a => self.long()?,
            b'X' => {
                let length = u32::from_le_bytes(self.take()?);
                let text = self.text(length as usize)?;
                self.leaf(Object::Text(text), text.len() as u64)?;
            }
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                if !is_allowed(module, name) {
                    return Err(format!(
                        "it asks for {}.{}, which no state dict needs and torch.load refuses too",
                        shown(module),
                        shown(name)
                    ));
                }
                self.leaf(Object::Class(module, name), (module.len() + name.len()) as u64)?;
            }
            b'q' => {
                let [id] = self.take()?;
                self.put(id.into())?;
            }
            b'r' => {
                let id = u32::from_le_bytes(self.take()?);
                self.put(id)?;
            }
            b'h' => {
                let [id] = self.take()?;
                self.get(id.into())?;
            }
            b'j' => {
                let id = u32::from_le_bytes(self.take()?);
                self.get(id)?;
            }
            0x85..=0x87 => {
                let count = usize::from(opcode - 0x84);
                let from = self.stack.len().checked_sub(count).ok_or(EMPTY)?;
                let items = self.stack.split_off(from);
                self.tuple(items)?;
            }
            b't' => {
                let items = self.pop_to_mark()?;
                self.tuple(items)?;
            }
            b'a' => {
                let item = self.pop()?;
                self.append(vec![item])?;
            }
            b'e' => {
                let items = self.pop_to_mark()?;
                self.append(items)?;
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.set(vec![key, value])?;
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                self.set(items)?;
            }
            b'Q' => {
                let item = self.pop()?;
                self.hold(vec![item], |mut parts| {
                    Object::Persistent(Rc::new(parts.pop().unwrap_or(Object::Other)))
                })?;
            }
            b'R' | 0x81 => self.call(opcode == b'R')?,
            b'b' => self.build()?,
            b'.' => return Ok(true),
            other => {
                return Err(format!(
                    "opcode {other:#04x}, which is none of those that torch.save writes by itself \
                     (pickle protocol 2)"
                ));
            }
        }
        Ok(false)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let bytes = self.input.get(self.at..).and_then(|rest| rest.first_chunk::<N>());
        self.at += N;
        bytes.copied().ok_or_else(|| CUT.into())
    }

    fn text(&mut self, length: usize) -> Result<&'a str, String> {
        let rest = self.input.get(self.at..).unwrap_or_default();
        let bytes = rest.get(..length).ok_or(CUT)?;
        self.at += length;
        std::str::from_utf8(bytes).map_err(|_| "a text that is not UTF-8".into())
    }

    fn line(&mut self) -> Result<&'a str, String> {
        let rest = self.input.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|&b| b == b'\n').ok_or(CUT)?;
        let line = self.text(length)?;
        self.at += 1;
        Ok(line.strip_suffix('\r').unwrap_or(line))
    }

    /// An integer of up to 255 bytes, of which candle can read 8.
    fn long(&mut self) -> Result<(), String> {
        let [length] = self.take()?;
        if length > 8 {
            return Err("a number of more than 64 bits".into());
        }
        let mut bytes = [0; 8];
        for byte in bytes.iter_mut().take(length.into()) {
            [*byte] = self.take()?;
        }
        self.leaf(Object::Int(i64::from_le_bytes(bytes), false), 0)
    }

    fn spend(&mut self, bytes: u64) -> Result<(), String> {
        self.spent = self.spent.saturating_add(bytes);
        if self.spent > MAX_MEMORY {
            return Err(format!("it unfolds to more than {} MiB of objects", MAX_MEMORY >> 20));
        }
        Ok(())
    }

    fn leaf(&mut self, object: Object<'a>, extra: u64) -> Result<(), String> {
        let bytes = OBJECT + extra;
        self.spend(bytes)?;
        self.stack.push(Item { object, bytes, depth: 1 });
        Ok(())
    }

    /// Pushes an object that holds `items`.
    fn hold(
        &mut self,
        items: Vec<Item<'a>>,
        make: impl FnOnce(Vec<Object<'a>>) -> Object<'a>,
    ) -> Result<(), String> {
        self.spend(OBJECT)?;
        let bytes = items.iter().fold(OBJECT, |sum, item| sum.saturating_add(item.bytes));
        let depth = 1 + items.iter().map(|item| item.depth).max().unwrap_or(0);
        if depth > MAX_DEPTH {
            return Err(format!("objects within objects, more than {MAX_DEPTH} deep"));
        }
        let object = make(items.into_iter().map(|item| item.object).collect());
        self.stack.push(Item { object, bytes, depth });
        Ok(())
    }

    fn pop(&mut self) -> Result<Item<'a>, String> {
        self.stack.pop().ok_or_else(|| EMPTY.into())
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Item<'a>>, String> {
        let mark = self.stack.iter().rposition(|item| matches!(item.object, Object::Mark));
        let items = self.stack.split_off(mark.ok_or("there is no mark")? + 1);
        self.stack.pop();
        Ok(items)
    }

    fn tuple(&mut self, items: Vec<Item<'a>>) -> Result<(), String> {
        self.hold(items, |parts| Object::Tuple(Rc::new(parts)))
    }

    /// What is on top takes `items` in.
    fn top(&mut self, items: &[Item<'a>]) -> Result<&mut Object<'a>, String> {
        let top = self.stack.last_mut().ok_or(EMPTY)?;
        let bytes = items.iter().fold(top.bytes, |sum, item| sum.saturating_add(item.bytes));
        let depth = items.iter().map(|item| item.depth + 1).max().unwrap_or(0);
        (top.bytes, top.depth) = (bytes, top.depth.max(depth));
        if top.depth > MAX_DEPTH {
            return Err(format!("objects within objects, more than {MAX_DEPTH} deep"));
        }
        Ok(&mut top.object)
    }

    fn append(&mut self, items: Vec<Item<'a>>) -> Result<(), String> {
        match self.top(&items)? {
            Object::List => Ok(()),
            _ => Err("it appends to what is no list".into()),
        }
    }

    fn set(&mut self, items: Vec<Item<'a>>) -> Result<(), String> {
        if !items.len().is_multiple_of(2) {
            return Err("a key without a value".into());
        }
        match self.top(&items)? {
            Object::Dict(entries) => {
                let entries = Rc::make_mut(entries);
                let mut objects = items.into_iter().map(|item| item.object);
                while let (Some(key), Some(value)) = (objects.next(), objects.next()) {
                    entries.push((key, value));
                }
                Ok(())
            }
            _ => Err("it sets a key of what is no dict".into()),
        }
    }

    /// REDUCE and NEWOBJ. candle takes every `OrderedDict(…)` for an empty one.
    fn call(&mut self, reduce: bool) -> Result<(), String> {
        let args = self.pop()?;
        let callable = self.pop()?;
        match callable.object {
            Object::Class("collections", "OrderedDict") if reduce => {
                self.leaf(Object::Dict(Rc::default()), 0)
            }
            Object::Class(..) => self.hold(vec![callable, args], |mut parts| {
                let args = parts.pop().unwrap_or(Object::Other);
                let callable = parts.pop().unwrap_or(Object::Other);
                Object::Reduce(Rc::new((callable, args)))
            }),
            _ => Err("it calls what is no function".into()),
        }
    }

    fn build(&mut self) -> Result<(), String> {
        let state = self.pop()?;
        match (&state.object, self.stack.last()) {
            (Object::Dict(added), Some(Item { object: Object::Dict(_), .. })) => {
                let added = added.clone();
                // Moved, not copied.
                match self.top(&[state])? {
                    Object::Dict(entries) => {
                        Rc::make_mut(entries).extend(added.iter().cloned());
                        Ok(())
                    }
                    _ => Ok(()),
                }
            }
            _ => {
                let target = self.pop()?;
                self.hold(vec![target, state], |_| Object::Other)
            }
        }
    }

    /// candle copies what is on top into the memo.
    fn put(&mut self, id: u32) -> Result<(), String> {
        let item = self.stack.last().ok_or(EMPTY)?.clone();
        self.spend(item.bytes.saturating_add(OBJECT))?;
        self.memo.insert(id, item);
        Ok(())
    }

    /// And copies it out again.
    fn get(&mut self, id: u32) -> Result<(), String> {
        let item = self.memo.get(&id).ok_or_else(|| format!("the memo has no {id}"))?.clone();
        self.spend(item.bytes)?;
        self.stack.push(item);
        Ok(())
    }
}

const CUT: &str = "it ends early";
const EMPTY: &str = "it takes more than there is";

/// A name from the file, for people.
pub(super) fn shown(name: &str) -> String {
    name.chars().take(80).flat_map(char::escape_debug).collect()
}
