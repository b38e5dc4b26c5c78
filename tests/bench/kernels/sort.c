// Quicksort and heapsort of n numbers by a comparison through a pointer, as qsort does.
static unsigned data[1 << 16], rnd = 1;
static unsigned next(void) { return rnd = rnd * 1664525 + 1013904223; }
static int less(const unsigned *a, const unsigned *b) { return *a < *b; }
static int (*volatile order)(const unsigned *, const unsigned *) = less;

static void sort(unsigned *a, int n, int (*lt)(const unsigned *, const unsigned *)) {
  while (n > 12) {
    unsigned p = a[n / 2];
    int i = 0, j = n - 1;
    while (i <= j) {
      while (lt(&a[i], &p)) i++;
      while (lt(&p, &a[j])) j--;
      if (i <= j) {
        unsigned t = a[i];
        a[i++] = a[j], a[j--] = t;
      }
    }
    sort(a, j + 1, lt);
    a += i, n -= i;
  }
  for (int i = 1; i < n; i++)
    for (int j = i; j > 0 && lt(&a[j], &a[j - 1]); j--) {
      unsigned t = a[j];
      a[j] = a[j - 1], a[j - 1] = t;
    }
}

int run(int n) {
  unsigned sum = 0;
  while (n-- > 0) {
    for (int i = 0; i < 1 << 16; i++) data[i] = next();
    sort(data, 1 << 16, order);
    sum = sum * 31 + data[12345];
  }
  return (int)sum;
}
