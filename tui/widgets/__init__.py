"""What several places show: tables, trends, the top line."""
