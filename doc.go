package newleaf
