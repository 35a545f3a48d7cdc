SELECT summarize_postings();
