"""From parameters to pages, PDFs and answers.json."""
