"""What a record says, for people: a page, a table for a pull request, a table for a spreadsheet."""
