//! Files that mean harm, or have come to some: an error that says where, what and what to do; never a panic, never more memory
//! or time than the file is worth. Those that fuzzing found are among them.

#[cfg(test)]
mod arrow_file;
#[cfg(test)]
mod json;
#[cfg(test)]
mod parquet_claim;
#[cfg(test)]
mod parquet_file;
#[cfg(test)]
mod reading;
#[cfg(test)]
mod template;
#[cfg(test)]
mod tokenizer;
