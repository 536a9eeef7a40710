//! Images: what is in them, what they are known by, who reads them, and what is refused.

mod archives;
mod bases;
mod layers;
mod parts;
mod refusing;
mod stored;
mod tar;
