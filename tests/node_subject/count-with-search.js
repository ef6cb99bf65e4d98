class Subject {
  operate({ words }) {
    const counts = [];
    for (const word of words) {
      const found = counts.find(([known]) => known === word);
      if (found) found[1] += 1;
      else counts.push([word, 1]);
    }
    return { counts };
  }
}

module.exports = { Subject };
