"""Which vector, where and how strongly: chosen at equal harm, within the budget, judged on texts that made nothing."""
