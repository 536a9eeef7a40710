//! Lists that AWS answers page by page.

use mdo_engine::Error;

/// Collects every page of a list. `page` is given where the page begins, and answers its items with where the next one does.
pub(crate) async fn all<T, F, Fut>(page: F) -> Result<Vec<T>, Error>
where
    F: Fn(Option<String>) -> Fut,
    Fut: Future<Output = Result<(Option<Vec<T>>, Option<String>), Error>>,
{
    let mut items = Vec::new();
    let mut position = None;
    loop {
        let (more, next) = page(position).await?;
        items.extend(more.into_iter().flatten());
        position = next.filter(|next| !next.is_empty());
        if position.is_none() {
            return Ok(items);
        }
    }
}
